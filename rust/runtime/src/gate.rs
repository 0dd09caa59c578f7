//! Who may make a call, and what the policy says to it.

use http::HeaderMap;
use osmoda_types::health::{Consent, PolicyState};
use osmoda_types::ledger::{Decision, Verdict};
use osmoda_types::{Actor, Call, Code, Daemon, Effect, Principal, Problem, Ring, json};

use crate::accounts::Accounts;

/// The headers a caller describes itself with.
pub(crate) const ACTOR: &str = "x-osmoda-actor";
const TOOL: &str = "x-osmoda-tool";
const SESSION: &str = "x-osmoda-session";
const TAINT: &str = "x-osmoda-taint";
const ON_BEHALF: &str = "x-osmoda-on-behalf";

/// The kernel's word on the process behind a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The gate of one daemon.
#[derive(Debug)]
pub(crate) struct Gate {
    accounts: Accounts,
    own_uid: u32,
    policy: PolicyState,
}

impl Gate {
    pub(crate) fn new() -> Self {
        // Until there are policies, the one in force is the open one; its name is what the digest is of.
        let policy = PolicyState { digest: json::digest_of(b"open"), preset: "open".into() };
        Self { accounts: Accounts::system(), own_uid: rustix::process::getuid().as_raw(), policy }
    }

    pub(crate) fn policy(&self) -> PolicyState {
        self.policy.clone()
    }

    /// Nothing asks for consent yet.
    pub(crate) fn consent(&self) -> Consent {
        Consent::None
    }

    /// The caller: the kernel's word, lowered by the mark it carries. A mark never raises.
    pub(crate) fn principal(&self, peer: Peer, headers: &HeaderMap) -> Result<Principal, Problem> {
        let accounts = self.accounts.table();
        let name = accounts.name(peer.uid);
        let known = match Daemon::ALL.iter().find(|daemon| daemon.user() == name) {
            // A process seen through a user namespace reads as nobody, and nobody is nobody.
            _ if peer.uid == NOBODY => None,
            Some(daemon) => Some(Actor::Daemon(*daemon)),
            None if name == "osmoda-agent" => Some(Actor::Agent("main".into())),
            None if peer.uid == self.own_uid || accounts.is_operator(peer.uid, peer.gid) => {
                Some(Actor::Operator(name))
            }
            None => None,
        };
        let stranger = known.is_none();
        let known = known.unwrap_or_else(|| Actor::Other(format!("app:uid-{}", peer.uid)));
        let mark = label(headers, ACTOR)?.map(|text| text.parse::<Actor>());
        let mark = mark.transpose().map_err(|error| malformed(ACTOR, &error.to_string()))?;
        let actor = match mark {
            Some(mark) if may_claim(&known, &mark, peer.uid == self.own_uid) => mark,
            Some(mark) => return Err(Problem::new(Code::AuthRing).detail(format!("{known} is not {mark}"))),
            None => known,
        };
        let on_behalf = match (label(headers, ON_BEHALF)?, &actor) {
            (Some(text), Actor::Daemon(_)) => {
                Some(text.parse().map_err(|_| malformed(ON_BEHALF, "not an actor"))?)
            }
            (Some(_), _) => {
                return Err(Problem::new(Code::AuthRing).detail("only daemons act on behalf of others"));
            }
            (None, _) => None,
        };
        Ok(Principal {
            ring: if stranger { Ring::Two } else { actor.ring() },
            actor,
            uid: peer.uid,
            gid: peer.gid,
            session: label(headers, SESSION)?.map(str::to_owned),
            tool: label(headers, TOOL)?.map(str::to_owned),
            tainted: label(headers, TAINT)? == Some("untrusted"),
            on_behalf,
        })
    }

    /// Whether this caller may make this call at all.
    pub(crate) fn admit(principal: &Principal, call: &Call) -> Result<(), Problem> {
        let allowed = match &principal.actor {
            Actor::Daemon(daemon) => call.callers.contains(daemon),
            _ => call.ring.is_some_and(|ring| principal.ring <= ring),
        };
        if allowed && call.effect == Effect::Trust && principal.ring != Ring::Operator {
            return Err(Problem::new(Code::PolicyDenied).detail(format!(
                "{} asked for what changes who is trusted; only an operator may",
                principal.actor
            )));
        }
        // Anybody may ask a daemon how it is.
        if allowed || call.path == "/health" {
            return Ok(());
        }
        let who = call.ring.map_or("a daemon named in its catalogue entry", |_| "an operator or the agent");
        Err(Problem::new(Code::AuthRing).detail(format!("{} asked for what only {who} may", principal.actor)))
    }

    /// What the policy says; it allows everything until there is one.
    pub(crate) fn decide(&self, _: &Principal, _: &Call) -> Decision {
        Decision { verdict: Verdict::Allow, rule: "preset.open".into(), policy: self.policy.digest.clone() }
    }
}

/// The overflow uid: what the kernel shows for a user that does not exist here.
const NOBODY: u32 = 65534;

/// Where all programs run as one user (`osmoda up`), the mark alone tells daemons apart.
fn may_claim(known: &Actor, mark: &Actor, same_user: bool) -> bool {
    match (known, mark) {
        (known, mark) if known == mark => true,
        (Actor::Operator(_), Actor::Daemon(_)) => same_user,
        (Actor::Operator(_), Actor::Operator(_)) => false,
        (Actor::Operator(_), _) => true,
        (Actor::Daemon(_), Actor::Agent(_) | Actor::Other(_)) => true,
        (Actor::Agent(_), Actor::Agent(_)) => true,
        _ => false,
    }
}

fn label<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) if text.len() <= 128 && !text.is_empty() => Ok(Some(text)),
        _ => Err(malformed(name, "1 to 128 printable ASCII characters")),
    }
}

fn malformed(header: &str, why: &str) -> Problem {
    Problem::new(Code::RequestSyntax).detail(format!("header {header}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(peer: Peer, headers: &[(&'static str, &str)]) -> Result<Principal, Code> {
        let mut gate = Gate::new();
        gate.own_uid = 1000;
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        gate.principal(peer, &headers).map_err(|problem| problem.code)
    }

    const ROOT: Peer = Peer { uid: 0, gid: 0 };
    const SAME: Peer = Peer { uid: 1000, gid: 1000 };
    const STRANGER: Peer = Peer { uid: 4_000_000, gid: 4_000_000 };

    #[test]
    fn a_mark_lowers_and_never_raises() {
        assert_eq!(principal(ROOT, &[]).unwrap().actor, Actor::Operator("root".into()));
        let lowered = principal(ROOT, &[(ACTOR, "agent:main")]).unwrap();
        assert_eq!((lowered.ring, lowered.uid), (Ring::Zero, 0));
        assert_eq!(principal(ROOT, &[(ACTOR, "daemon:watch")]), Err(Code::AuthRing));
        assert_eq!(principal(ROOT, &[(ACTOR, "operator:ann")]), Err(Code::AuthRing));
        assert_eq!(principal(SAME, &[(ACTOR, "daemon:watch")]).unwrap().actor, Actor::Daemon(Daemon::Watch));
        assert_eq!(principal(STRANGER, &[(ACTOR, "agent:main")]), Err(Code::AuthRing));
    }

    #[test]
    fn a_stranger_and_nobody_may_ask_for_health_only() {
        let health = osmoda_types::catalogue::tool("system_health").unwrap();
        let query = osmoda_types::catalogue::tool("system_query").unwrap();
        for peer in [STRANGER, Peer { uid: NOBODY, gid: NOBODY }] {
            let stranger = principal(peer, &[]).unwrap();
            assert!(Gate::admit(&stranger, health).is_ok());
            assert_eq!(Gate::admit(&stranger, query).unwrap_err().code, Code::AuthRing);
        }
    }

    #[test]
    fn a_daemon_makes_only_the_calls_that_name_it() {
        let watch = principal(SAME, &[(ACTOR, "daemon:watch"), (ON_BEHALF, "agent:main")]).unwrap();
        assert_eq!(watch.on_behalf, Some(Actor::Agent("main".into())));
        let append = osmoda_types::catalogue::calls().find(|c| c.path == "/events").unwrap();
        assert!(Gate::admit(&watch, append).is_ok());
        assert!(Gate::admit(&principal(ROOT, &[]).unwrap(), append).is_err());
        assert!(Gate::admit(&watch, osmoda_types::catalogue::tool("system_query").unwrap()).is_err());
        assert_eq!(principal(ROOT, &[(ON_BEHALF, "agent:main")]), Err(Code::AuthRing));
    }

    #[test]
    fn a_malformed_label_is_refused() {
        assert_eq!(principal(ROOT, &[(ACTOR, "agent:a|b")]), Err(Code::RequestSyntax));
        assert_eq!(principal(ROOT, &[(SESSION, "")]), Err(Code::RequestSyntax));
    }
}
