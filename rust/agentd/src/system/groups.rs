//! Accounts with their groups, page by page.

use std::collections::HashMap;
use std::fs;

use osmoda_types::Limit;
use osmoda_types::api::agentd::users::{Account, UserListIn, UserListOut};

use super::HostError;
use super::accounts::Accounts;

const PAGE: usize = 100;

/// The accounts after `after`, in the order of /etc/passwd.
pub(super) fn list(input: &UserListIn) -> Result<UserListOut, HostError> {
    let path = "/etc/group";
    let text = fs::read(path).map_err(|source| HostError::Read { path: path.into(), source })?;
    let accounts = Accounts::read()?;
    Ok(page(accounts, &Groups::parse(&String::from_utf8_lossy(&text)), input))
}

fn page(accounts: Accounts, groups: &Groups, input: &UserListIn) -> UserListOut {
    let limit = Limit::or(input.limit, PAGE);
    let all = accounts.users();
    // An account that is gone meanwhile cannot be gone on from: the list begins again.
    let after = input.after.as_ref().and_then(|name| all.iter().position(|user| user.name == **name));
    let mut wanted = all
        .into_iter()
        .skip(after.map_or(0, |at| at + 1))
        .filter(|user| input.system.is_none_or(|system| user.system == system));
    let users: Vec<Account> = wanted
        .by_ref()
        .take(limit)
        .map(|user| Account { groups: groups.of(&user.name, user.gid), user })
        .collect();
    let next = wanted.next().and(users.last()).map(|account| account.user.name.clone());
    UserListOut { users, next }
}

/// /etc/group.
struct Groups {
    names: HashMap<u32, String>,
    of_member: HashMap<String, Vec<String>>,
}

impl Groups {
    /// Lines of `name:password:gid:member,member` (group(5)).
    fn parse(text: &str) -> Self {
        let mut groups = Self { names: HashMap::new(), of_member: HashMap::new() };
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, members] = fields[..] else { continue };
            let Ok(gid) = gid.parse() else { continue };
            groups.names.entry(gid).or_insert_with(|| name.to_owned());
            for member in members.split(',').filter(|member| !member.is_empty()) {
                groups.of_member.entry(member.to_owned()).or_default().push(name.to_owned());
            }
        }
        groups
    }

    fn of(&self, user: &str, gid: u32) -> Vec<String> {
        let primary = self.names.get(&gid).cloned().unwrap_or_else(|| gid.to_string());
        let others = self.of_member.get(user).into_iter().flatten().filter(|group| **group != primary);
        std::iter::once(primary.clone()).chain(others.cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use osmoda_types::{Text, Within};
    use proptest::prelude::*;

    use super::*;

    const PASSWD: &str =
        "root:x:0:0::/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\nbob:x:1001:7::/home/bob:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nusers:x:100:bob\nwheel:x:1:ann,bob\nbroken\nodd:x:y:ann\n";

    #[test]
    fn a_list_goes_on_where_the_page_before_ended() {
        let groups = Groups::parse(GROUP);
        let ask = |input: UserListIn| page(Accounts::parse(PASSWD), &groups, &input);
        let first = ask(UserListIn { limit: Within::new(2), ..UserListIn::default() });
        assert_eq!(first.next.as_deref(), Some("ann"));
        assert_eq!(first.users[1].groups, ["users", "wheel"]);
        let second = ask(UserListIn { after: Text::new("ann").ok(), ..UserListIn::default() });
        assert_eq!((second.users.len(), second.next), (1, None));
        assert_eq!(second.users[0].groups, ["7", "users", "wheel"]);
        let people = ask(UserListIn { system: Some(false), limit: Within::new(1), ..UserListIn::default() });
        assert_eq!((people.users[0].user.name.as_str(), people.next.as_deref()), ("ann", Some("ann")));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".*", user in ".*") {
            prop_assert!(!Groups::parse(&text).of(&user, 3).is_empty());
        }
    }
}
