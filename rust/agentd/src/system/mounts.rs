//! What is mounted, from /proc/1/mountinfo. Read here, byte for byte: names hold spaces, which the kernel writes as
//! `\040`, and need not be UTF-8.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use osmoda_types::api::agentd::system::Mount;

use super::HostError;

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mounted {
    pub(super) point: PathBuf,
    /// `major:minor` of what is mounted.
    pub(super) device: String,
    pub(super) source: String,
    pub(super) filesystem: String,
    pub(super) read_only: bool,
}

/// What is mounted and can be reached, in the order it was mounted: what another mount lies upon is left out.
pub(super) fn mounted() -> Result<Vec<Mounted>, HostError> {
    // The machine's mounts are those of its first process: in a sandbox our own are all read-only.
    let path = "/proc/self/mountinfo";
    let table = fs::read("/proc/1/mountinfo").or_else(|_| fs::read(path));
    table.map(|table| parse(&table)).map_err(|source| HostError::Read { path: path.into(), source })
}

/// Every mount.
pub(super) fn mounts() -> Result<Vec<Mount>, HostError> {
    let mount = |mounted: Mounted| Mount {
        mount: mounted.point.to_string_lossy().into_owned(),
        source: mounted.source,
        filesystem: mounted.filesystem,
        read_only: mounted.read_only,
    };
    Ok(mounted()?.into_iter().map(mount).collect())
}

fn parse(table: &[u8]) -> Vec<Mounted> {
    let all: Vec<Mounted> = table.split(|byte| *byte == b'\n').filter_map(parse_line).collect();
    let last: HashMap<PathBuf, usize> =
        all.iter().enumerate().map(|(at, mounted)| (mounted.point.clone(), at)).collect();
    all.into_iter().enumerate().filter(|(at, mounted)| last[&mounted.point] == *at).map(|(_, m)| m).collect()
}

/// `36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/root rw` (proc_pid_mountinfo(5)).
fn parse_line(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = fields.nth(2)?;
    let point = fields.nth(1)?;
    let options = fields.next()?;
    let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
    let (filesystem, source, super_options) = (fields.next()?, fields.next()?, fields.next()?);
    let is_read_only = |options: &[u8]| options.split(|byte| *byte == b',').any(|option| option == b"ro");
    Some(Mounted {
        point: PathBuf::from(OsString::from_vec(unescape(point))),
        device: text(device),
        source: text(source),
        filesystem: text(filesystem),
        read_only: is_read_only(options) || is_read_only(super_options),
    })
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(field)).into_owned()
}

/// `\ooo` is the byte of that octal number.
fn unescape(mut field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    while let [first, rest @ ..] = field {
        match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                field = &rest[3..];
            }
            _ => {
                plain.push(*first);
                field = rest;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_any_number_of_optional_fields() {
        let lines = b"36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue\n\
            37 36 0:44 / /a\\040b\\134c ro shared:1 master:2 - nfs4 host:/x\\011y rw\n\
            38 36 0:45 / /\xff rw shared:1 - tmpfs  ro\n";
        let [plain, escaped, odd] = &parse(lines)[..] else { panic!("three lines") };
        assert_eq!(
            (plain.device.as_str(), plain.source.as_str(), plain.read_only),
            ("98:0", "/dev/root", false)
        );
        assert_eq!(escaped.point, PathBuf::from("/a b\\c"));
        assert_eq!((escaped.source.as_str(), escaped.read_only), ("host:/x\ty", true));
        assert_eq!((odd.point.to_string_lossy().as_ref(), odd.source.as_str()), ("/\u{fffd}", ""));
        assert!(odd.read_only);
    }

    #[test]
    fn what_lies_below_another_mount_is_left_out() {
        let lines = b"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /m rw - ext4 /dev/b rw\n3 2 8:3 / /m rw - xfs /dev/c rw\n";
        let sources: Vec<_> = parse(lines).into_iter().map(|mounted| mounted.source).collect();
        assert_eq!(sources, ["/dev/a", "/dev/c"]);
    }

    #[test]
    fn a_line_that_is_cut_is_passed_over() {
        let line = b"36 35 98:0 /mnt1 /mnt2 rw - ext3 /dev/root rw";
        for cut in 0..line.len() - 3 {
            assert_eq!(parse_line(&line[..cut]), None, "{cut}");
        }
        assert_eq!(unescape(b"\\04\\\\9\\400\\"), b"\\04\\\\9\\400\\");
    }
}
