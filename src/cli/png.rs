//! `--qr-png FILE`: a code as a picture that goes when the code does.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::paths::{folder_of, replace};

/// How many bytes are tried.
const PROBE: usize = 4096;
/// In such a folder nobody replaces what is somebody else's.
const STICKY: u32 = 0o1000;

/// A file that holds a living code, 0600. Removed when the code is over, or with this value.
#[derive(Debug)]
pub struct PngFile {
    path: PathBuf,
    /// What was written, kept open: its number is no other file's as long as it is.
    written: Option<File>,
}

impl PngFile {
    /// A file to be written at `path`.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, written: None }
    }

    /// Whether a file can be written at `path`; what is in the way, if not. Nothing stays behind.
    pub fn check(path: &Path) -> Result<(), String> {
        let is_file = std::fs::metadata(path).map_or(true, |known| known.is_file());
        if path.is_dir() || path.file_name().is_none() {
            return Err("it is a directory".to_owned());
        }
        if !is_file {
            return Err("it is not a regular file".to_owned());
        }
        let folder = folder_of(path);
        match std::fs::symlink_metadata(path) {
            Ok(there) => {
                let around = std::fs::metadata(folder).map_err(|error| error.to_string())?;
                if is_kept(&there, &around, rustix::process::geteuid().as_raw()) {
                    return Err("it belongs to another user".to_owned());
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A name that is too long, say.
            Err(error) => return Err(error.to_string()),
        }
        // As large as a picture is: a full disk takes an empty file. Made and written without the library's own words,
        // which are about the temporary file.
        let probe = tempfile::Builder::new().prefix(".saoma-").make_in(folder, |probe| File::create_new(probe));
        let written = probe.and_then(|mut file| {
            file.as_file_mut().write_all(&[0; PROBE])?;
            file.as_file().sync_all()
        });
        written.map_err(|error| error.to_string())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shows a code; whoever looks sees the old picture or the new one, never half of one.
    pub fn put(&mut self, png: &[u8]) -> Result<(), String> {
        self.written = Some(replace(&self.path, png).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// The code is over. What somebody else put in its place stays.
    pub fn remove(&mut self) {
        if let Some(file) = self.written.take()
            && is_at(&file, &self.path)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the picture of a dead code stays");
        }
    }
}

impl Drop for PngFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Whether a sticky folder keeps this user from replacing what is there.
fn is_kept(there: &Metadata, folder: &Metadata, user: u32) -> bool {
    folder.mode() & STICKY != 0 && user != 0 && there.uid() != user && folder.uid() != user
}

/// Whether this very file is what stands at `path`; where that cannot be told, it is taken to be.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(file), Ok(there)) => (file.dev(), file.ino()) == (there.dev(), there.ino()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_cannot_be_written_is_found_out_beforehand() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(PngFile::check(&home.path().join("code.png")), Ok(()));
        assert_eq!(PngFile::check(Path::new("code.png")), Ok(()));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing stays");
        std::fs::write(home.path().join("file"), "").unwrap();
        for (path, words) in [
            ("none/code.png", "No such file"),
            ("file/code.png", "Not a directory"),
            ("", "directory"),
            ("..", "directory"),
            (&"n".repeat(256), "too long"),
        ] {
            let bad = PngFile::check(&home.path().join(path)).unwrap_err();
            assert!(bad.contains(words) && !bad.contains(".saoma-"), "{path}: {bad}");
        }
        for (path, words) in [("", "directory"), ("/dev/null", "regular")] {
            assert!(PngFile::check(Path::new(path)).unwrap_err().contains(words), "{path}");
        }
    }

    #[test]
    fn a_sticky_folder_keeps_what_is_somebody_elses() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("code.png");
        std::fs::write(&path, "").unwrap();
        let mine = std::fs::metadata(&path).unwrap().uid();
        let kept = |mode, user| {
            std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            is_kept(&std::fs::metadata(&path).unwrap(), &std::fs::metadata(home.path()).unwrap(), user)
        };
        let other = mine + 4711;
        let told = [(0o1777, other), (0o1777, mine), (0o1777, 0), (0o777, other)].map(|(mode, user)| kept(mode, user));
        assert_eq!(told, [true, false, false, false]);
    }

    #[test]
    fn the_picture_is_private_and_goes_with_the_code() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("code.png");
        let mut file = PngFile::new(path.clone());
        file.put(b"one").unwrap();
        file.put(b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        file.remove();
        assert!(!path.exists());
        // What somebody else puts there meanwhile is left alone.
        std::fs::write(&path, "other").unwrap();
        drop(file);
        assert!(path.exists());
        let mut file = PngFile::new(path.clone());
        file.put(b"three").unwrap();
        drop(file);
        assert!(!path.exists());
        let mut file = PngFile::new(path.clone());
        file.put(b"four").unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "other").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"other");
    }
}
