//! The program age, through pipes: no plain copy of what goes in or comes out.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use osmoda_store::{Error, atomic_write};

use super::BackupError;

/// A running age; killed when dropped before its end.
pub(super) struct Age {
    child: Child,
    said: File,
    ended: bool,
}

/// Whether both programs are there.
pub(super) fn present() -> Result<(), BackupError> {
    for program in [AGE, KEYGEN] {
        output(program, &["--version".as_ref()]).map(drop)?;
    }
    Ok(())
}

/// The recipient of the key in `path`, which is made when it is missing.
pub(super) fn own_recipient(path: &Path) -> Result<String, BackupError> {
    if !path.exists() {
        let key = output(KEYGEN, &[])?;
        atomic_write(path, &key, 0o600)?;
    }
    let recipient = output(KEYGEN, &["-y".as_ref(), path.as_os_str()])?;
    Ok(String::from_utf8_lossy(&recipient).trim().to_owned())
}

impl Age {
    /// Encrypts what is written to [`stdin`](Self::stdin) into `file`.
    pub(super) fn encrypt(recipients: &[String], file: File) -> Result<Self, BackupError> {
        let mut command = command(AGE);
        command.arg("--encrypt");
        for recipient in recipients {
            command.args(["-r", recipient]);
        }
        command.stdin(Stdio::piped()).stdout(file);
        Self::start(command)
    }

    /// Decrypts `file` to [`stdout`](Self::stdout) with the first of `identities` that fits.
    pub(super) fn decrypt(file: File, identities: &[PathBuf]) -> Result<Self, BackupError> {
        let mut command = command(AGE);
        command.arg("--decrypt");
        for identity in identities {
            command.arg("-i").arg(identity);
        }
        command.stdin(file).stdout(Stdio::piped());
        Self::start(command)
    }

    fn start(mut command: Command) -> Result<Self, BackupError> {
        let failed = |error| Error::io(Path::new(AGE), error);
        let said = tempfile::tempfile().map_err(failed)?;
        command.stderr(said.try_clone().map_err(failed)?);
        let child = command.spawn().map_err(|error| spawn_failed(AGE, error))?;
        Ok(Self { child, said, ended: false })
    }

    /// Where it reads from; taken once.
    pub(super) fn stdin(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().expect("piped above and taken once")
    }

    /// What it writes; taken once.
    pub(super) fn stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().expect("piped above and taken once")
    }

    /// Waits for its end; its own words where it failed.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let status = self.child.wait();
        self.ended = true;
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(self.words()),
        }
    }

    fn words(&mut self) -> String {
        let mut words = Vec::new();
        let _ = self.said.rewind();
        let _ = self.said.by_ref().take(MOST_WORDS_BYTES).read_to_end(&mut words);
        String::from_utf8_lossy(&words).lines().next().unwrap_or("it ended by itself").to_owned()
    }
}

impl Drop for Age {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Nothing of agentd's environment but where programs are.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

fn output(program: &'static str, arguments: &[&std::ffi::OsStr]) -> Result<Vec<u8>, BackupError> {
    let output = command(program).args(arguments).output().map_err(|error| spawn_failed(program, error))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        Err(BackupError::AgeRefused { said })
    }
}

fn spawn_failed(program: &'static str, error: std::io::Error) -> BackupError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => BackupError::AgeAbsent { program },
        _ => Error::io(Path::new(program), error).into(),
    }
}

const AGE: &str = "age";
const KEYGEN: &str = "age-keygen";
const MOST_WORDS_BYTES: u64 = 4096;
