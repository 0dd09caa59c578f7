//! Who a uid is: /etc/passwd and /etc/group, read again within 100 ms of a change.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// The machine's accounts.
#[derive(Debug)]
pub(crate) struct Accounts {
    passwd: PathBuf,
    group: PathBuf,
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    looked: Instant,
    stamp: Stamp,
    table: Arc<Table>,
}

/// One reading of the two files.
#[derive(Debug, Default)]
pub(crate) struct Table {
    names: HashMap<u32, String>,
    operators: Vec<String>,
    operator_gid: Option<u32>,
}

type Stamp = [(i64, i64, u64); 2];

/// The files are not looked at again for so long: two system calls are an eighth of a short call.
const FRESH: Duration = Duration::from_millis(100);
/// Members of this group answer for the machine.
const OPERATORS: &str = "osmoda-operator";

impl Accounts {
    /// The machine's own files.
    pub(crate) fn system() -> Self {
        Self::new("/etc/passwd", "/etc/group")
    }

    fn new(passwd: impl Into<PathBuf>, group: impl Into<PathBuf>) -> Self {
        Self { passwd: passwd.into(), group: group.into(), cached: Mutex::new(None) }
    }

    /// The accounts as they are now.
    pub(crate) fn table(&self) -> Arc<Table> {
        let mut cached = self.cached.lock().expect("nothing panics while it holds this lock");
        if let Some(Cached { looked, table, .. }) = &*cached
            && looked.elapsed() < FRESH
        {
            return table.clone();
        }
        let stamp = [stamp(&self.passwd), stamp(&self.group)];
        let table = match &*cached {
            Some(known) if known.stamp == stamp => known.table.clone(),
            _ => Arc::new(Table::read(&self.passwd, &self.group)),
        };
        *cached = Some(Cached { looked: Instant::now(), stamp, table: table.clone() });
        table
    }
}

impl Table {
    fn read(passwd: &Path, group: &Path) -> Self {
        let mut table = Self::default();
        for [name, _, uid, ..] in fields(passwd) {
            if let Ok(uid) = uid.parse() {
                table.names.entry(uid).or_insert(name);
            }
        }
        if let Some([_, _, gid, members]) = fields(group).into_iter().find(|[name, ..]| name == OPERATORS) {
            table.operator_gid = gid.parse().ok();
            table.operators = members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
        }
        table
    }

    /// The user's name; the number itself where there is none.
    pub(crate) fn name(&self, uid: u32) -> String {
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// Whether the user answers for the machine.
    pub(crate) fn is_operator(&self, uid: u32, gid: u32) -> bool {
        uid == 0
            || self.operator_gid == Some(gid)
            || self.names.get(&uid).is_some_and(|n| self.operators.contains(n))
    }
}

fn fields(path: &Path) -> Vec<[String; 4]> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| {
        let mut parts = line.split(':').map(str::to_owned);
        Some([parts.next()?, parts.next()?, parts.next()?, parts.next()?])
    };
    text.lines().filter_map(line).collect()
}

fn stamp(path: &Path) -> (i64, i64, u64) {
    fs::metadata(path).map_or((0, 0, 0), |m| (m.mtime(), m.mtime_nsec(), m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_new_operator_is_seen_without_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (passwd, group) = (dir.path().join("passwd"), dir.path().join("group"));
        fs::write(&passwd, "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n").unwrap();
        fs::write(&group, "osmoda-operator:x:990:\n").unwrap();
        let accounts = Accounts::new(&passwd, &group);
        assert_eq!(accounts.table().name(1000), "ann");
        assert_eq!(accounts.table().name(1001), "1001");
        assert!(!accounts.table().is_operator(1000, 1000));
        assert!(accounts.table().is_operator(1000, 990), "by primary group");
        fs::remove_file(&group).unwrap();
        fs::write(&group, "osmoda-operator:x:990:bob,ann\n").unwrap();
        tokio::time::advance(FRESH).await;
        assert!(accounts.table().is_operator(1000, 1000));
    }
}
