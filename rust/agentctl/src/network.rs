//! `agentctl network` and `agentctl firewall`: interfaces, ways out, openings.

use std::io;

use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::Empty;
use osmoda_types::api::agentd::firewall::{
    FirewallAllow, FirewallAllowIn, FirewallChangeOut, FirewallList, FirewallRevoke, FirewallRevokeIn,
    OpenPorts,
};
use osmoda_types::api::agentd::network::{NetworkInfo, NetworkInfoOut, Route};
use osmoda_types::api::agentd::system::Protocol;

use crate::args::{Allow, Firewall, Opening};
use crate::exit::{Exit, Outcome};
use crate::screen::{Screen, plain};
use crate::units::{bytes, duration};

pub(crate) async fn network(client: &Client, screen: &mut Screen) -> Outcome {
    let network = client.send::<NetworkInfo>(&Empty {}).await?;
    if screen.is_json() {
        screen.json(&network)?;
    } else {
        page(&network, screen)?;
    }
    Ok(Exit::Ok)
}

fn page(network: &NetworkInfoOut, screen: &mut Screen) -> io::Result<()> {
    let rows = network.interfaces.iter().map(|interface| {
        let addresses: Vec<String> = interface
            .addresses
            .iter()
            .map(|address| format!("{}/{}", address.address, address.prefix))
            .collect();
        let state = if interface.up { &interface.state } else { "off" };
        let counters = &interface.counters;
        [
            plain(&interface.name),
            plain(&interface.kind),
            plain(state),
            interface.mtu.to_string(),
            bytes(counters.rx_bytes),
            bytes(counters.tx_bytes),
            plain(&addresses.join(" ")),
        ]
        .map(Cell::new)
        .to_vec()
    });
    screen.table(&["INTERFACE", "KIND", "STATE", "MTU", "IN", "OUT", "ADDRESSES"], rows.collect())?;
    screen.line("")?;
    screen.line(format_args!("host     {}", plain(&network.hostname)))?;
    let ways: Vec<String> = network.default_gateways.iter().map(way).collect();
    screen.line(format_args!(
        "way out  {}",
        if ways.is_empty() { "none".into() } else { plain(&ways.join(", ")) }
    ))?;
    let more = if network.routes_cut { "more than " } else { "" };
    screen.line(format_args!("routes   {more}{}", network.routes_total))?;
    let dns = &network.dns;
    let upstream =
        if dns.upstream.is_empty() { String::new() } else { format!(" (asks {})", dns.upstream.join(", ")) };
    screen.line(format_args!("dns      {}", plain(&format!("{}{upstream}", dns.servers.join(", ")))))
}

fn way(route: &Route) -> String {
    let through = route.interface.as_deref().unwrap_or("?");
    route
        .gateway
        .as_ref()
        .map_or_else(|| through.to_owned(), |gateway| format!("{gateway} through {through}"))
}

pub(crate) async fn firewall(client: &Client, verb: &Firewall, screen: &mut Screen) -> Outcome {
    match verb {
        Firewall::List => list(client, screen).await,
        Firewall::Allow(Allow { opening, ttl_secs }) => {
            let Opening { protocol, ports, source } = opening;
            let (port, to_port) = *ports;
            let (protocol, source, ttl_secs) = (Protocol::from(*protocol), *source, *ttl_secs);
            let input = FirewallAllowIn { protocol, port, to_port, source, ttl_secs };
            change(&client.send::<FirewallAllow>(&input).await?, screen)
        }
        Firewall::Revoke(Opening { protocol, ports, source }) => {
            let (port, to_port) = *ports;
            let input = FirewallRevokeIn { protocol: (*protocol).into(), port, to_port, source: *source };
            change(&client.send::<FirewallRevoke>(&input).await?, screen)
        }
    }
}

async fn list(client: &Client, screen: &mut Screen) -> Outcome {
    let listed = client.send::<FirewallList>(&Empty {}).await?;
    if screen.is_json() {
        screen.json(&listed)?;
        return Ok(Exit::Ok);
    }
    let rows = listed.openings.iter().map(|opening| row(opening).map(Cell::new).to_vec()).collect();
    screen.table(&["PORTS", "FOR", "LEFT"], rows)?;
    if listed.total > listed.openings.len() as u64 {
        screen.line(format_args!("{} in all", listed.total))?;
    }
    Ok(Exit::Ok)
}

fn row(opening: &OpenPorts) -> [String; 3] {
    let protocol = match opening.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let ports =
        opening.to_port.map_or_else(|| opening.port.to_string(), |last| format!("{}-{last}", opening.port));
    let source = opening.source.map_or_else(|| "everybody".into(), |source| source.to_string());
    [format!("{protocol}/{ports}"), source, opening.expires_in_secs.map_or_else(|| "no end".into(), duration)]
}

fn change(change: &FirewallChangeOut, screen: &mut Screen) -> Outcome {
    if screen.is_json() {
        screen.json(change)?;
        return Ok(Exit::Ok);
    }
    let in_words = |opening: &OpenPorts| {
        let [ports, source, left] = row(opening);
        format!("{ports} for {source}, {left}")
    };
    match (&change.before, &change.after) {
        (_, Some(open)) => screen.line(format_args!("open     {}", in_words(open)))?,
        (Some(before), None) => screen.line(format_args!("closed   {}", in_words(before)))?,
        (None, None) => screen.line("nothing was open")?,
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_is_shown_in_a_row() {
        let opening = OpenPorts {
            protocol: Protocol::Udp,
            port: 5,
            to_port: Some(9),
            source: "192.0.2.0/24".parse().ok(),
            ttl_secs: Some(120),
            expires_in_secs: Some(60),
        };
        assert_eq!(row(&opening), ["udp/5-9", "192.0.2.0/24", &duration(60)]);
        let everybody = OpenPorts { to_port: None, source: None, expires_in_secs: None, ..opening };
        assert_eq!(row(&everybody), ["udp/5", "everybody", "no end"]);
    }
}
