//! Writing a profile into `config.toml`; comments and everything else stay as they are.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use super::Error;
use super::error::unreadable;
use super::paths::{behind_links, lock, private_folder, replace};
use crate::model::Dialect;

/// Writes `[profile.NAME]` with gateway, dialect and account into the file, which is made if it is not there. Other
/// keys of the profile stay, and so does what other processes write meanwhile. A link to the file stays one.
pub fn save_profile(path: &Path, name: &str, gateway: &str, dialect: Dialect, account: &str) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        private_folder(folder)?;
    }
    let path = &behind_links(path);
    let _held = lock(path)?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unreadable(path)(error)),
    };
    let broken = |line: usize, detail: &str| Error::Syntax { path: path.to_owned(), line, detail: detail.to_owned() };
    let mut document = text.parse::<DocumentMut>().map_err(|error| broken(0, error.message()))?;
    let profiles = document.entry("profile").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let profiles = profiles.as_table_like_mut().ok_or_else(|| broken(0, "[profile]"))?;
    let profile = profiles.entry(name).or_insert_with(|| Item::Table(Table::new()));
    let profile = profile.as_table_like_mut().ok_or_else(|| broken(0, name))?;
    for (key, text) in [("gateway", gateway), ("dialect", dialect.name()), ("account", account)] {
        set(profile, key, text);
    }
    replace(path, document.to_string().as_bytes()).map(drop)
}

/// Sets a key; the comment behind an old value stays.
fn set(table: &mut dyn toml_edit::TableLike, key: &str, text: &str) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = text.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_holds_just_the_profile() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("saoma/config.toml");
        save_profile(&path, "default", "http://h:1", Dialect::V1, "138").unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "[profile.default]\ngateway = \"http://h:1\"\ndialect = \"v1\"\naccount = \"138\"\n"
        );
    }

    #[test]
    fn profiles_that_are_saved_at_the_same_time_are_all_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("saoma/config.toml");
        std::thread::scope(|scope| {
            for at in 0..12 {
                let path = &path;
                scope.spawn(move || save_profile(path, &format!("p{at}"), "http://h:1", Dialect::V2, "138").unwrap());
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("[profile.p").count(), 12, "{text}");
        assert!(super::super::file::File::parse(&text, &path).is_ok());
    }

    #[test]
    fn a_link_to_the_settings_stays_one() {
        let home = tempfile::tempdir().unwrap();
        let (path, real) = (home.path().join("config.toml"), home.path().join("dotfiles/saoma.toml"));
        std::fs::create_dir(home.path().join("dotfiles")).unwrap();
        std::fs::write(&real, "# mine\n").unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        save_profile(&path, "a", "http://h:1", Dialect::V1, "138").unwrap();
        assert!(std::fs::symlink_metadata(&path).unwrap().is_symlink());
        let text = std::fs::read_to_string(&real).unwrap();
        assert!(text.contains("# mine") && text.contains("[profile.a]"), "{text}");
    }

    #[test]
    fn comments_and_other_keys_stay() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        std::fs::write(
            &path,
            "# mine\n[profile.a]\ngateway = \"http://old\" # the old one\ntoken_command = \"x\"\n\n[ui]\nlang = \"zh\" # 中文\n",
        )
        .unwrap();
        save_profile(&path, "a", "http://new", Dialect::V2, "139").unwrap();
        save_profile(&path, "b", "http://b", Dialect::V1, "1").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# mine\n[profile.a]\ngateway = \"http://new\" # the old one\ntoken_command"),
            "{text}"
        );
        assert!(text.contains("lang = \"zh\" # 中文"), "{text}");
        assert!(text.contains("[profile.b]\ngateway = \"http://b\""), "{text}");
        assert!(super::super::file::File::parse(&text, &path).is_ok());
    }
}
