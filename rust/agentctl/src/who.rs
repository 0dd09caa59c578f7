//! Who you are to a daemon: the rule it applies to a caller without marks, told from this side of the socket.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use osmoda_types::{Actor, Daemon};
use rustix::process::{getegid, geteuid};

/// The actor the daemon behind `socket` sees, as far as this side can tell.
pub(crate) fn actor(socket: &Path) -> Actor {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let name = name(uid);
    if let Some(daemon) = Daemon::ALL.iter().find(|daemon| daemon.user() == name) {
        return Actor::Daemon(*daemon);
    }
    let owner = fs::metadata(socket).is_ok_and(|meta| meta.uid() == uid);
    if name == "osmoda-agent" {
        Actor::Agent("main".into())
    } else if uid == 0 || owner || in_operators(&name, gid) {
        Actor::Operator(name)
    } else {
        Actor::Other(format!("app:uid-{uid}"))
    }
}

fn name(uid: u32) -> String {
    let number = uid.to_string();
    let of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    };
    fs::read_to_string("/etc/passwd").unwrap_or_default().lines().find_map(of).unwrap_or(number)
}

fn in_operators(name: &str, gid: u32) -> bool {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let Some(line) = groups.lines().find(|line| line.starts_with("osmoda-operator:")) else { return false };
    let mut fields = line.split(':').skip(2);
    let group = fields.next().and_then(|gid| gid.parse().ok());
    group == Some(gid) || fields.next().is_some_and(|members| members.split(',').any(|member| member == name))
}
