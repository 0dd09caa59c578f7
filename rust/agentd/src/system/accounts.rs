//! Accounts, from /etc/passwd.

use std::collections::HashMap;
use std::fs;

use osmoda_types::api::agentd::system::User;

use super::HostError;

/// The machine's accounts.
pub(super) struct Accounts {
    users: Vec<User>,
    names: HashMap<u32, String>,
}

/// UID_MIN and UID_MAX of login.defs(5). Nix' build users are in between, but may not log in.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=60_000;

impl Accounts {
    pub(super) fn read() -> Result<Self, HostError> {
        let path = "/etc/passwd";
        let text = fs::read(path).map_err(|source| HostError::Read { path: path.into(), source })?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    pub(super) fn parse(text: &str) -> Self {
        let user = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            let may_log_in = !matches!(shell.rsplit('/').next(), Some("nologin" | "false"));
            let system = !(PEOPLE.contains(&uid) && may_log_in);
            Some(User {
                name: name.to_owned(),
                uid,
                gid,
                home: home.to_owned(),
                shell: shell.to_owned(),
                system,
            })
        };
        let users: Vec<User> = text.lines().filter_map(user).collect();
        // The first of several names is the one that programs show.
        let names = users.iter().rev().map(|user| (user.uid, user.name.clone())).collect();
        Self { users, names }
    }

    /// The name of a user, the number where it has none.
    pub(super) fn name(&self, uid: u32) -> String {
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    pub(super) fn users(self) -> Vec<User> {
        self.users
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_account_is_passed_over() {
        let accounts = Accounts::parse(
            "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n# no\nann:x:1000:100:Ann,,:/home/ann:/bin/zsh\na:b\n\
             nixbld1:x:30001:30000::/var/empty:/run/current-system/sw/bin/nologin\nnobody:x:65534:65534::/:/bin/sh\n",
        );
        assert_eq!((accounts.name(0), accounts.name(7)), ("root".into(), "7".into()));
        let people: Vec<_> =
            accounts.users().into_iter().filter(|user| !user.system).map(|user| user.name).collect();
        assert_eq!(people, ["ann"]);
    }
}
