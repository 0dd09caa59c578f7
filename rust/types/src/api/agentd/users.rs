//! The machine's accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::system::User;
use crate::{Call, Code, Daemon, Endpoint, Limit, Method, Text, Toolset};

/// Every call about accounts.
pub const CALLS: &[Call] = &[UserList::CALL];

/// Which accounts to list, in the order of /etc/passwd.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserListIn {
    /// Only accounts of the system, or only those of people.
    pub system: Option<bool>,
    /// How many at the most; 100 unless told.
    pub limit: Option<Limit>,
    /// Go on after this account: `next` of the answer before.
    pub after: Option<Text<256>>,
}

/// Some accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserListOut {
    /// The accounts.
    pub users: Vec<Account>,
    /// What to ask `after`; null at the end.
    pub next: Option<String>,
}

/// An account with its groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// As in /etc/passwd.
    #[serde(flatten)]
    pub user: User,
    /// Names of its groups, the primary one first.
    pub groups: Vec<String>,
}

/// `GET /users`.
pub struct UserList;
impl Endpoint for UserList {
    type In = UserListIn;
    type Out = UserListOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/users",
        "List the machine's accounts with their groups, homes and shells. Accounts of a directory service are not among them.",
    )
    .tool("user_list", Toolset::System)
    .errors(&[Code::HostUnreadable])
    .example(|| {
        (
            json!({"system": false}),
            json!({"users": [{"name": "ann", "uid": 1000, "gid": 100, "home": "/home/ann", "shell": "/bin/bash", "system": false,
                "groups": ["users", "wheel"]}], "next": null}),
        )
    });
}
