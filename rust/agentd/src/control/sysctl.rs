//! Parameters of the kernel: reading is agentd's own, writing the privileged half's.

use std::fs::File;
use std::io::Read;

use agentd_root::{Answer, Hands, Verb};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::sysctl::{SysctlGetIn, SysctlGetOut, SysctlKey, SysctlSetIn, SysctlSetOut};
use osmoda_types::ledger::SysctlChanged;
use osmoda_types::{Code, Problem};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;

use super::strange;

/// Longest value that is read.
const MOST_BYTES: u64 = 4096;

/// Reads a parameter. Blocks.
pub(crate) fn get(input: &SysctlGetIn) -> Result<SysctlGetOut, Problem> {
    let key = &input.key;
    let mut value = Vec::new();
    let file = opened(key).map_err(|error| refusal(key, error))?;
    let read = file.take(MOST_BYTES).read_to_end(&mut value);
    read.map_err(|error| refusal(key, Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    let value = String::from_utf8_lossy(&value).trim_end_matches('\n').to_owned();
    Ok(SysctlGetOut { key: key.to_string(), value, adjustable: key.is_adjustable() })
}

/// Sets a parameter.
pub(crate) async fn set(
    hands: &Hands,
    context: &Context,
    input: SysctlSetIn,
) -> Result<SysctlSetOut, Problem> {
    let key = input.key.to_string();
    match hands.ask(Verb::Sysctl { key: input.key, value: input.value }).await? {
        Answer::Sysctl { before, after } => {
            let fact = SysctlChanged { v: 1, key: key.clone(), before: before.clone(), after: after.clone() };
            context.fact("agentd.sysctl.changed", &fact);
            Ok(SysctlSetOut { key, before, after })
        }
        other => Err(strange(&other)),
    }
}

/// What not everybody may read is a secret, such as the key of TCP fast open; agentd as root does not tell it either.
fn opened(key: &SysctlKey) -> Result<File, Errno> {
    let folder = open("/proc/sys", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let look = openat2(&folder, key.path(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    let stat = fstat(&look)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    if stat.st_mode & 0o004 == 0 {
        return Err(Errno::ACCESS);
    }
    Ok(openat2(&folder, key.path(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), resolve)?.into())
}

fn refusal(key: &SysctlKey, error: Errno) -> Problem {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV => {
            Problem::new(Code::SysctlNotFound).detail(format!("there is no {key}"))
        }
        Errno::ACCESS | Errno::PERM => {
            Problem::new(Code::PolicyDenied).detail(format!("{key} is for root's eyes only"))
        }
        error => Problem::new(Code::HostUnreadable).detail(format!("{key}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str) -> Result<String, Code> {
        let input = SysctlGetIn { key: SysctlKey::new(key).unwrap() };
        get(&input).map(|out| out.value).map_err(|problem| problem.code)
    }

    #[test]
    fn a_parameter_is_read_and_a_folder_or_secret_is_not() {
        let ostype = read("kernel.ostype").unwrap();
        assert_eq!(ostype, "Linux");
        assert_eq!(read("kernel.nothing"), Err(Code::SysctlNotFound));
        assert_eq!(read("net.core"), Err(Code::SysctlNotFound));
        // Only root may read it, and we may be root.
        assert!(matches!(read("net.ipv4.tcp_fastopen_key"), Err(Code::PolicyDenied | Code::SysctlNotFound)));
    }
}
