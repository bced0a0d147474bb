//! `--qr-png FILE`: a code as a picture that goes when the code does.

use std::path::{Path, PathBuf};

use crate::config::paths::replace;

/// How many bytes are tried.
const PROBE: usize = 4096;

/// A file that holds a living code, 0600. Removed when the code is over, or with this value.
#[derive(Debug)]
pub struct PngFile {
    path: PathBuf,
    written: bool,
}

impl PngFile {
    /// A file to be written at `path`.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, written: false }
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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // As large as a picture is: a full disk takes an empty file.
        let probe = tempfile::Builder::new().prefix(".saoma-").tempfile_in(folder).and_then(|mut file| {
            std::io::Write::write_all(&mut file, &[0; PROBE])?;
            file.as_file().sync_all()
        });
        // The library's own words are about the temporary file.
        let words = |error: std::io::Error| {
            let cause = error.get_ref().and_then(std::error::Error::source).map(ToString::to_string);
            cause.unwrap_or_else(|| error.to_string())
        };
        probe.map_err(words)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shows a code; whoever looks sees the old picture or the new one, never half of one.
    pub fn put(&mut self, png: &[u8]) -> Result<(), String> {
        replace(&self.path, png).map_err(|error| error.to_string())?;
        self.written = true;
        Ok(())
    }

    /// The code is over.
    pub fn remove(&mut self) {
        if std::mem::take(&mut self.written)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

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
        ] {
            let bad = PngFile::check(&home.path().join(path)).unwrap_err();
            assert!(bad.contains(words), "{path}: {bad}");
        }
        for (path, words) in [("", "directory"), ("/dev/null", "regular")] {
            assert!(PngFile::check(Path::new(path)).unwrap_err().contains(words), "{path}");
        }
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
    }
}
