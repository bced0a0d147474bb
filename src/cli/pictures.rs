//! The PNG files that a key of the TUI writes: one a login, gone with the code, with the login, and with the program.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::png::PngFile;
use crate::i18n::{Lang, tf};
use crate::model::WcId;
use crate::model::text::clean;
use crate::qr::{self, Code};
use crate::tui::{Inbox, Msg};

/// The files. Dropped on the thread of the terminal, so that they go whatever ends the program but a kill.
#[derive(Debug)]
pub struct Pictures {
    inbox: Inbox,
    folder: PathBuf,
    lang: Lang,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What is to be in a file, by login, with the file once it is written.
    wanted: HashMap<u64, (Arc<Code>, Option<PngFile>)>,
}

impl Pictures {
    /// Files in this folder; what there is to say goes into the inbox.
    pub fn new(inbox: Inbox, folder: PathBuf, lang: Lang) -> Self {
        Self { inbox, folder, lang, shared: Arc::default() }
    }

    /// Writes a code's file, on a thread of its own: a disk may be slow.
    pub fn write(&self, login: u64, wc_id: Option<&WcId>, code: Arc<Code>) {
        lock(&self.shared).wanted.insert(login, (Arc::clone(&code), None));
        let path = self.folder.join(file_name(wc_id, &super::context::local(super::context::now(), "%H%M%S")));
        let (inbox, lang, shared) = (self.inbox.clone(), self.lang, Arc::clone(&self.shared));
        let work = move || {
            if let Some(message) = put(&shared, login, &code, &path, lang) {
                inbox.send(Msg::Notice { message });
            }
        };
        if let Err(error) = thread::Builder::new().name("picture".to_owned()).spawn(work) {
            self.inbox.send(Msg::Notice { message: error.to_string() });
        }
    }

    /// The code is over.
    pub fn remove(&self, login: u64) {
        lock(&self.shared).wanted.remove(&login);
    }
}

impl Drop for Pictures {
    fn drop(&mut self) {
        lock(&self.shared).wanted.clear();
    }
}

/// Writes the file if it is still wanted; gives what there is to say.
fn put(shared: &Mutex<Shared>, login: u64, code: &Arc<Code>, path: &Path, lang: Lang) -> Option<String> {
    let png = qr::png::png(code).map_err(|error| error.to_string());
    // Held while it is written: a code that dies meanwhile takes the file along right after.
    let mut shared = lock(shared);
    let (_, file) = shared.wanted.get_mut(&login).filter(|(wanted, _)| Arc::ptr_eq(wanted, code))?;
    let mut written = PngFile::new(path.to_owned());
    let done = png.and_then(|png| {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        written.put(&png)
    });
    let path = path.display().to_string();
    let text = match done {
        Ok(()) => {
            *file = Some(written);
            tf(lang, "cli.png.written", &[("path", &path)])
        }
        Err(detail) => tf(lang, "cli.png.failed", &[("path", &path), ("detail", &detail)]),
    };
    Some(clean(&text).into_owned())
}

/// A name without anything that means something to a shell or a file system.
fn file_name(wc_id: Option<&WcId>, time: &str) -> String {
    let who: String = wc_id
        .map_or("new", WcId::as_str)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .take(40)
        .collect();
    format!("code-{who}-{time}.png")
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn code(text: &str) -> Arc<Code> {
        Arc::new(Code::encode(&secrecy::SecretString::from(text)).unwrap())
    }

    #[test]
    fn a_file_is_private_and_goes_with_its_code() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/code-x-1.png");
        let (one, two) = (code("SAOMA-1"), code("SAOMA-2"));
        let shared = Mutex::<Shared>::default();
        let want = |code: &Arc<Code>| lock(&shared).wanted.insert(7, (Arc::clone(code), None));
        want(&one);
        let said = put(&shared, 7, &one, &path, Lang::En).unwrap();
        assert!(said.contains("state/code-x-1.png"), "{said}");
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.len() > 100), (0o600, true));
        // A renewed code, and a write for the old one that comes late.
        want(&two);
        assert!(!path.exists());
        assert_eq!(put(&shared, 7, &one, &path, Lang::En), None);
        assert!(!path.exists());
        put(&shared, 7, &two, &path, Lang::En).unwrap();
        assert!(path.exists());
        lock(&shared).wanted.clear();
        assert!(!path.exists());
    }

    #[test]
    fn names_are_harmless() {
        assert_eq!(file_name(Some(&WcId::from("wxid_a../b c\u{1b}")), "103000"), "code-wxid_a---b-c--103000.png");
        assert_eq!(file_name(None, "103000"), "code-new-103000.png");
    }
}
