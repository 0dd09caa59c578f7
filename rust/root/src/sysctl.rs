//! Writing one parameter of the kernel.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use osmoda_types::api::agentd::sysctl::SysctlKey;
use osmoda_types::{Code, Problem};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;

use crate::verb::Answer;

/// Longest value that is read back.
const MOST_BYTES: u64 = 4096;

/// Writes a parameter that is on the list, and reads what the kernel made of it.
pub(crate) fn write(key: &SysctlKey, value: &str) -> Result<Answer, Problem> {
    if !key.is_adjustable() {
        let denied = Problem::new(Code::PolicyDenied)
            .detail(format!("{key} is not on the list of adjustable parameters"));
        return Err(denied.next_step("docs/network.md lists what can be set; an operator sets others by hand or in the machine's configuration"));
    }
    if value.trim().is_empty() || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t') {
        return Err(
            Problem::new(Code::RequestField).at("/value", "not one line of printable ASCII characters")
        );
    }
    write_below(Path::new("/proc/sys"), key, value)
}

fn write_below(root: &Path, key: &SysctlKey, value: &str) -> Result<Answer, Problem> {
    let before = read(root, key)?;
    let mut file = opened(root, key, OFlags::WRONLY).map_err(|error| refusal(key, error))?;
    // One write: the kernel takes each for a whole value.
    let written = file.write(format!("{}\n", value.trim()).as_bytes());
    written.map_err(|error| refusal(key, Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    Ok(Answer::Sysctl { before, after: read(root, key)? })
}

/// The value without its end of line; `None` where it can only be written.
fn read(root: &Path, key: &SysctlKey) -> Result<Option<String>, Problem> {
    let file = match opened(root, key, OFlags::RDONLY) {
        Ok(file) => file,
        Err(Errno::ACCESS) => return Ok(None),
        Err(error) => return Err(refusal(key, error)),
    };
    let mut text = Vec::new();
    let read = file.take(MOST_BYTES).read_to_end(&mut text);
    read.map_err(|error| refusal(key, Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    Ok(Some(String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned()))
}

/// The file of a parameter, which no name and no link leads out of the folder.
fn opened(root: &Path, key: &SysctlKey, flags: OFlags) -> Result<File, Errno> {
    let folder = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file =
        openat2(&folder, key.path(), flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty(), resolve)?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::RegularFile {
        Ok(file.into())
    } else {
        Err(Errno::NOENT)
    }
}

fn refusal(key: &SysctlKey, error: Errno) -> Problem {
    let code = match error {
        Errno::NOENT | Errno::NOTDIR | Errno::ISDIR | Errno::LOOP | Errno::XDEV => Code::SysctlNotFound,
        Errno::INVAL | Errno::RANGE | Errno::BUSY | Errno::OPNOTSUPP | Errno::NODEV => Code::SysctlRejected,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => Code::RootRequired,
        _ => Code::HostUnreadable,
    };
    Problem::new(code).detail(format!("{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> SysctlKey {
        SysctlKey::new(text).unwrap()
    }

    #[test]
    fn what_is_not_on_the_list_is_denied_here_whoever_asks() {
        for guarded in
            ["kernel.randomize_va_space", "net.ipv4.ip_forward", "kernel.core_pattern", "vm.mmap_min_addr"]
        {
            assert_eq!(write(&key(guarded), "0").unwrap_err().code, Code::PolicyDenied, "{guarded}");
        }
        for value in ["", " ", "1\n2", "1\u{e9}", "\u{7}"] {
            assert_eq!(
                write(&key("vm.swappiness"), value).unwrap_err().code,
                Code::RequestField,
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_value_is_written_and_read_back() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("vm")).unwrap();
        std::fs::write(root.path().join("vm/swappiness"), "60\n").unwrap();
        let Ok(Answer::Sysctl { before, after }) = write_below(root.path(), &key("vm.swappiness"), " 10 ")
        else {
            panic!("written")
        };
        assert_eq!((before.as_deref(), after.as_deref()), (Some("60"), Some("10")));
        assert_eq!(write_below(root.path(), &key("vm.nothing"), "1").unwrap_err().code, Code::SysctlNotFound);
    }

    #[test]
    fn a_link_is_not_followed_and_a_folder_is_no_parameter() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("vm/inner")).unwrap();
        std::fs::write(root.path().join("outside"), "1\n").unwrap();
        symlink(root.path().join("outside"), root.path().join("vm/link")).unwrap();
        for name in ["vm.link", "vm.inner"] {
            assert_eq!(
                write_below(root.path(), &key(name), "2").unwrap_err().code,
                Code::SysctlNotFound,
                "{name}"
            );
        }
        assert_eq!(std::fs::read(root.path().join("outside")).unwrap(), b"1\n");
    }

    proptest! {
        #[test]
        fn no_name_opens_a_file_outside(text in "[a-z./]{1,24}") {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(root.path().join("sys/a")).unwrap();
            std::fs::write(root.path().join("a"), "out").unwrap();
            if let Ok(key) = SysctlKey::new(&text) {
                prop_assert!(opened(&root.path().join("sys"), &key, OFlags::RDONLY).is_err());
            }
        }
    }
}
