//! The log file: `saoma.log` in the state folder, 0600, opened with the first line that is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Env, Paths};

/// A log of this size is set aside when it is opened; one old log is kept.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// So many lines wait for a slow disk; what comes on top of them is lost.
const WAITING: usize = 4_096;

/// Writes what is left when it is dropped.
#[derive(Debug)]
pub struct Guard(#[expect(dead_code, reason = "kept for its drop")] WorkerGuard);

/// Starts logging. `SAOMA_LOG` is a level (`error`, `warn`, `info`, `debug`, `trace`, `off`); only saoma's own lines
/// are written, because what a library logs may hold a token.
pub fn start(paths: &Paths, env: &Env) -> Option<Guard> {
    let level = env.get("SAOMA_LOG").and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    if level == LevelFilter::OFF {
        return None;
    }
    // Not an `EnvFilter`: it builds regular expressions, and this stands before the first frame.
    let ours = Targets::new().with_target("saoma", level);
    // The room for waiting lines is laid out at once: the default of 128,000 is 4 MB, written before the first frame.
    let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING)
        .finish(Lazy { path: paths.log(), file: None });
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(writer).with_ansi(false).finish();
    lines.with(ours).try_init().ok()?;
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
