//! Putting a file in place whole, removing it, moving it; only if it still is what the caller saw.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use osmoda_types::{Code, Problem};
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, fchmod, fchown, fstat, fsync,
    futimens, openat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::place::{Place, look, looks, regular, seen};
use super::{FileAnswer, Looks, Seen, failed};

/// Writes beside the file and renames: readers see the old file or the new one, whole. Owner and mode stay as they
/// were; setuid, setgid, sticky and file capabilities do not come along.
pub(super) fn write(
    place: &Place,
    content: OwnedFd,
    expected: Seen,
    as_it_was: Option<Looks>,
) -> Result<FileAnswer, Problem> {
    let (folder, name) = place.parent()?;
    let before = check(&folder, name, place.path(), expected)?;
    let shape = as_it_was.or(before);
    let temporary = format!(".{:016x}.osmoda-tmp", fresh()?);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(&folder, temporary.as_str(), flags, Mode::from_raw_mode(0o600));
    let file = made.map_err(|error| failed(place.path(), error))?;
    let put = fill(&file, content, shape, as_it_was.is_some())
        .map_err(|error| failed(place.path(), error))
        // Between the look and the rename somebody else may have been here.
        .and_then(|()| check(&folder, name, place.path(), expected))
        .and_then(|_| {
            // What is not there yet must not replace what comes meanwhile.
            let flags =
                if expected == (Seen::Absent {}) { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
            renameat_with(&folder, temporary.as_str(), &folder, name, flags)
                .map_err(|error| failed(place.path(), error))
        });
    if let Err(problem) = put {
        // Nothing of it stays; were that to fail, the name says what it is.
        let _ = unlinkat(&folder, temporary.as_str(), AtFlags::empty());
        return Err(problem);
    }
    sync_folder(&folder, place.path())?;
    let stat = fstat(&file).map_err(|error| failed(place.path(), error))?;
    Ok(FileAnswer::File { seen: seen(&stat), looks: looks(&stat) })
}

pub(super) fn delete(place: &Place, expected: Seen) -> Result<FileAnswer, Problem> {
    let (folder, name) = place.parent()?;
    if check(&folder, name, place.path(), expected)?.is_none() {
        return Err(failed(place.path(), Errno::NOENT));
    }
    unlinkat(&folder, name, AtFlags::empty()).map_err(|error| failed(place.path(), error))?;
    sync_folder(&folder, place.path())?;
    Ok(FileAnswer::Gone {})
}

pub(super) fn rename(from: &Place, to: &Place, expected: Seen) -> Result<FileAnswer, Problem> {
    let (folder, name) = from.parent()?;
    let (target, new_name) = to.parent()?;
    if check(&folder, name, from.path(), expected)?.is_none() {
        return Err(failed(from.path(), Errno::NOENT));
    }
    renameat_with(&folder, name, &target, new_name, RenameFlags::NOREPLACE).map_err(|error| match error {
        Errno::XDEV => Problem::new(Code::FileFailed)
            .detail("the two places are on different file systems")
            .next_step("read the file, write it at its new place, then delete the old one"),
        error => failed(to.path(), error),
    })?;
    sync_folder(&folder, from.path())?;
    sync_folder(&target, to.path())?;
    let stat = look(&target, new_name, to.path())?.ok_or_else(|| failed(to.path(), Errno::NOENT))?;
    Ok(FileAnswer::File { seen: seen(&stat), looks: looks(&stat) })
}

/// What stands there, if it is what the caller saw.
fn check(folder: impl AsFd, name: &OsStr, path: &Path, expected: Seen) -> Result<Option<Looks>, Problem> {
    let found = look(folder, name, path)?;
    if let Some(stat) = &found {
        regular(path, stat)?;
    }
    let is = found.as_ref().map_or(Seen::Absent {}, seen);
    if is == expected {
        return Ok(found.as_ref().map(looks));
    }
    Err(Problem::new(Code::FileChanged)
        .detail(format!("{} is not what it was when it was looked at", path.display())))
}

fn fill(file: &OwnedFd, content: OwnedFd, shape: Option<Looks>, with_times: bool) -> rustix::io::Result<()> {
    let (mut from, mut to) = (File::from(content), File::from(file.try_clone().map_err(errno)?));
    io::copy(&mut from, &mut to).map_err(errno)?;
    let mode = shape.map_or(NEW_MODE, |looks| looks.mode & 0o777);
    if let Some(looks) = shape {
        fchown(file, Some(Uid::from_raw(looks.uid)), Some(Gid::from_raw(looks.gid)))?;
    }
    fchmod(file, Mode::from_raw_mode(mode))?;
    if let Some(looks) = shape
        && with_times
    {
        let times =
            Timestamps { last_access: timespec(looks.atime_ns), last_modification: timespec(looks.mtime_ns) };
        futimens(file, &times)?;
    }
    fsync(file)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

fn timespec(nanos: i64) -> Timespec {
    Timespec { tv_sec: nanos.div_euclid(1_000_000_000), tv_nsec: nanos.rem_euclid(1_000_000_000) }
}

fn sync_folder(folder: &OwnedFd, path: &Path) -> Result<(), Problem> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let synced = openat(folder, ".", flags, Mode::empty()).and_then(fsync_of);
    match synced {
        // A folder one may enter but not read is still on the same disk as its files, which are synced.
        Ok(()) | Err(Errno::ACCESS) => Ok(()),
        Err(error) => Err(failed(path, error)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "closes it")]
fn fsync_of(file: OwnedFd) -> rustix::io::Result<()> {
    fsync(&file)
}

fn fresh() -> Result<u64, Problem> {
    let mut bytes = [0; 8];
    #[expect(clippy::disallowed_methods, reason = "a temporary name nobody can wait for")]
    getrandom::fill(&mut bytes).map_err(|error| Problem::new(Code::FileFailed).detail(error.to_string()))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// A file that was not there before.
const NEW_MODE: u32 = 0o644;
