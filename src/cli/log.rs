//! The log file: `saoma.log` in the state folder, 0600, opened with the first line that is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::config::{Env, Paths};

/// A log of this size is set aside when it is opened; one old log is kept.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Writes what is left when it is dropped.
#[derive(Debug)]
pub struct Guard(#[expect(dead_code, reason = "kept for its drop")] WorkerGuard);

/// Starts logging. `SAOMA_LOG` is a level (`error`, `warn`, `info`, `debug`, `trace`, `off`); only saoma's own lines
/// are written, because what a library logs may hold a token.
pub fn start(paths: &Paths, env: &Env) -> Option<Guard> {
    let level = env.get("SAOMA_LOG").unwrap_or("info").to_ascii_lowercase();
    if level == "off" {
        return None;
    }
    let level = if level.parse::<tracing::Level>().is_ok() { level } else { "info".to_owned() };
    let filter = EnvFilter::try_new(format!("saoma={level}")).ok()?;
    let (writer, guard) =
        tracing_appender::non_blocking::NonBlockingBuilder::default().finish(Lazy { path: paths.log(), file: None });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false).try_init().ok()?;
    Some(Guard(guard))
}

/// A file that is opened when something is written.
struct Lazy {
    path: PathBuf,
    file: Option<File>,
}

impl Lazy {
    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                use std::os::unix::fs::DirBuilderExt;
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            if std::fs::metadata(&self.path).is_ok_and(|log| log.len() > MAX_BYTES) {
                std::fs::rename(&self.path, self.path.with_extension("log.old"))?;
            }
            self.file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("no log file"))
    }
}

impl Write for Lazy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn nothing_is_made_before_the_first_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("saoma/saoma.log");
        let mut log = Lazy { path: path.clone(), file: None };
        log.flush().unwrap();
        assert!(!path.exists());
        log.write_all(b"one\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
}
