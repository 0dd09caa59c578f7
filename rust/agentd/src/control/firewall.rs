//! Openings in the firewall.

use agentd_root::{Answer, Hands, Verb};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::firewall::{
    FirewallAllowIn, FirewallChangeOut, FirewallListOut, FirewallRevokeIn, OpenPorts, PortRange, Source,
};
use osmoda_types::api::agentd::system::Protocol;
use osmoda_types::ledger::FirewallChanged;
use osmoda_types::{Code, Problem};

use super::strange;

/// Openings that are listed; what is beyond is only counted.
const MOST_ROWS: usize = 1000;

pub(crate) async fn list(hands: &Hands) -> Result<FirewallListOut, Problem> {
    match hands.ask(Verb::FirewallList {}).await? {
        Answer::Openings { mut openings } => {
            let total = openings.len() as u64;
            openings.truncate(MOST_ROWS);
            Ok(FirewallListOut { table: "inet osmoda".into(), openings, total })
        }
        other => Err(strange(&other)),
    }
}

pub(crate) async fn allow(
    hands: &Hands,
    context: &Context,
    input: FirewallAllowIn,
) -> Result<FirewallChangeOut, Problem> {
    let mut ports = ports(input.protocol, input.port, input.to_port, input.source)?;
    ports.ttl_secs = input.ttl_secs.map(|secs| secs.get());
    change(hands, context, "agentd.firewall.allowed", Verb::FirewallAllow { ports }).await
}

pub(crate) async fn revoke(
    hands: &Hands,
    context: &Context,
    input: FirewallRevokeIn,
) -> Result<FirewallChangeOut, Problem> {
    let ports = ports(input.protocol, input.port, input.to_port, input.source)?;
    change(hands, context, "agentd.firewall.revoked", Verb::FirewallRevoke { ports }).await
}

async fn change(
    hands: &Hands,
    context: &Context,
    fact: &str,
    verb: Verb,
) -> Result<FirewallChangeOut, Problem> {
    match hands.ask(verb).await? {
        Answer::Opening { before, after } => {
            context.fact(fact, &FirewallChanged { v: 1, before, after });
            Ok(FirewallChangeOut { before, after })
        }
        other => Err(strange(&other)),
    }
}

fn ports(
    protocol: Protocol,
    port: PortRange,
    to_port: Option<PortRange>,
    source: Option<Source>,
) -> Result<OpenPorts, Problem> {
    let number = |port: PortRange| u16::try_from(port.get()).expect("a port is 65535 at the most");
    if to_port.is_some_and(|last| last < port) {
        return Err(Problem::new(Code::RequestField).at("/to_port", "is below port"));
    }
    Ok(OpenPorts {
        protocol,
        port: number(port),
        to_port: to_port.map(number),
        source,
        ttl_secs: None,
        expires_in_secs: None,
    })
}
