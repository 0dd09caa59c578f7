//! `run/up.pid`: who runs a place, held with flock(2) so that it never outlives its process.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::place::Place;

/// Held for as long as this process runs the place; the file goes with it.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the place, or says who has it.
    pub(crate) async fn take(place: &Place) -> Result<Self> {
        let path = path(place);
        // `down` and `status` look at the lock by holding it for a moment.
        for _ in 0..LOOKS {
            if let Some(lock) =
                Self::try_take(&path).with_context(|| format!("cannot lock {}", path.display()))?
            {
                return Ok(lock);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        match holder(place)? {
            Some(pid) => {
                bail!("already running in {place}: process {pid} (stop it: osmoda down {})", place.options())
            }
            None => bail!("another osmoda up is starting or stopping in {place}"),
        }
    }

    fn try_take(path: &Path) -> std::io::Result<Option<Self>> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            other => other?,
        }
        // The one before us may have removed the file between our open and our lock.
        if fs::metadata(path).ok().map(|m| m.ino()) != Some(file.metadata()?.ino()) {
            return Ok(None);
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Some(Self { path: path.to_owned(), _file: file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The process that runs the place.
pub(crate) fn holder(place: &Place) -> Result<Option<i32>> {
    let path = path(place);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(Errno::WOULDBLOCK) => {
            let mut text = String::new();
            file.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(text.trim().parse().ok())
        }
        Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn path(place: &Place) -> PathBuf {
    place.run.join("up.pid")
}

const LOOKS: u32 = 10;
const LOOK_EVERY: Duration = Duration::from_millis(20);
