//! The base URL of a gateway, as the client's own errors tell of it; [`crate::model::base`] reads it.

use url::Url;

use super::transport::failed;
use super::{Call, Error, Kind};
use crate::model::base;
pub use crate::model::base::{profile_id, sends_in_the_clear};

/// Checks a base URL and writes it in one way ([`base::base_url`]). The error never repeats the text, which may hold a
/// password.
pub fn base_url(text: &str) -> Result<String, Error> {
    base::base_url(text).map_err(bad)
}

/// Reads and checks; see [`base_url`].
pub(super) fn parse(text: &str) -> Result<Url, Error> {
    base::parse(text).map_err(bad)
}

fn bad(base::BadBase(detail): base::BadBase) -> Error {
    failed(Call::Setup, Kind::BadSettings, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_base_url_is_a_setting_to_correct() {
        for text in ["", "ftp://gw.example", "http://user:hunter2@gw.example", "gw example"] {
            let error = base_url(text).unwrap_err();
            assert_eq!((error.call, error.kind.clone()), (Call::Setup, Kind::BadSettings), "{text}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(base_url("gw.example:9899/").as_deref(), Ok("http://gw.example:9899"));
    }
}
