//! Words for people: `locales/` in, words out. The language is an argument, never a global.

use std::borrow::Cow;

/// A language that people can read saoma in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// The name of its file in `locales/` and of the setting.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// Reads `en`, `zh`, or a POSIX locale such as `zh_CN.UTF-8`; `None` for other languages.
    pub fn parse(text: &str) -> Option<Self> {
        let language = text.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") {
            Some(Self::Zh)
        } else if language.eq_ignore_ascii_case("en") || text == "C" || text == "POSIX" {
            Some(Self::En)
        } else {
            None
        }
    }
}

/// The words behind a key; the key itself when there are none (a test makes sure that there are).
pub fn t(lang: Lang, key: &str) -> Cow<'static, str> {
    crate::_rust_i18n_try_translate(lang.code(), key)
        .map_or_else(|| Cow::Owned(key.to_owned()), |words| Cow::Owned(words.into_owned()))
}

/// The words behind a key with `%{name}` replaced by values.
pub fn tf(lang: Lang, key: &str, values: &[(&str, &str)]) -> String {
    let words = t(lang, key);
    let (names, values): (Vec<&str>, Vec<String>) =
        values.iter().map(|(name, value)| (*name, (*value).to_owned())).unzip();
    rust_i18n::replace_patterns(&words, &names, &values)
}
