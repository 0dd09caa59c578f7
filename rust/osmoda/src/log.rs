//! Keeps what a daemon writes to stderr in `log/<name>.log`, and remembers its last word.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStderr;

/// One daemon's log file; at `ROTATE_AT` it becomes `<name>.log.1` and a new one begins.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    last: String,
}

impl Log {
    /// Continues the file at `path`, or begins a new one if it is full.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let mut file = open()?;
        if file.metadata()?.len() >= ROTATE_AT {
            fs::rename(path, path.with_extension("log.1"))?;
            file = open()?;
        }
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes, last: String::new() })
    }

    /// The file itself, for a writer that is not followed.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Writes every line until the daemon closes stderr; its last word.
    pub(crate) async fn follow(mut self, stderr: ChildStderr) -> String {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
            // A full disk costs log lines, never a daemon.
            let _ = self.write(&line);
            self.last = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
        }
        self.last_word()
    }

    /// The last line as a person reads it: of a JSON line its message and error.
    fn last_word(&self) -> String {
        let Ok(Value::Object(line)) = serde_json::from_str(&self.last) else { return self.last.clone() };
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        match (text("message"), text("error")) {
            (Some(message), Some(error)) => format!("{message}: {error}"),
            (message, error) => message.or(error).unwrap_or_default().to_owned(),
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes >= ROTATE_AT {
            *self = Self { last: std::mem::take(&mut self.last), ..Self::open(&self.path)? };
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// Size in bytes at which a log file is put aside: 10 MiB, so that two of them stay small on any machine.
const ROTATE_AT: u64 = 10 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_put_aside_and_no_line_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = Log::open(&path).unwrap();
        log.write(&vec![b'x'; ROTATE_AT as usize]).unwrap();
        log.write(b"one\n").unwrap();
        log.write(b"two\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert_eq!(fs::metadata(dir.path().join("a.log.1")).unwrap().len(), ROTATE_AT);
    }

    #[test]
    fn the_last_word_is_readable_whatever_its_form() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(&dir.path().join("a.log")).unwrap();
        log.last = r#"{"level":"ERROR","message":"configuration is wrong","error":"rowz"}"#.into();
        assert_eq!(log.last_word(), "configuration is wrong: rowz");
        log.last = "thread 'main' panicked".into();
        assert_eq!(log.last_word(), "thread 'main' panicked");
    }
}
