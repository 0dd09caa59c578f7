//! Interfaces, addresses and routes (rtnetlink(7)).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::ControlFlow;

use osmoda_types::api::agentd::network::{Address, Counters, Interface, Route};
use rustix::io::Errno;

use super::{Netlink, attributes, u16_at, u32_at, u64_at};

/// Interfaces with their addresses by index, and how many there are.
pub(crate) fn interfaces(most: usize) -> Result<(Vec<Interface>, u64), Errno> {
    let mut netlink = Netlink::open(None)?;
    let mut all: BTreeMap<u32, Interface> = BTreeMap::new();
    let mut total = 0;
    netlink.dump(GET_LINK, &[0; 16], |body| {
        if let Some(interface) = link(body) {
            total += 1;
            if all.len() < most {
                all.insert(interface.index, interface);
            }
        }
        ControlFlow::Continue(())
    })?;
    netlink.dump(GET_ADDRESS, &[0; 8], |body| {
        if let Some((index, address)) = address(body)
            && let Some(interface) = all.get_mut(&index)
            && interface.addresses.len() < most
        {
            interface.addresses.push(address);
        }
        ControlFlow::Continue(())
    })?;
    Ok((all.into_values().collect(), total))
}

/// The main table's routes.
pub(crate) struct Routes {
    pub(crate) first: Vec<Route>,
    pub(crate) total: u64,
    /// There were more than we count.
    pub(crate) cut: bool,
}

/// Default routes first, then as they are; `most` of them, and never more than [`MOST_COUNTED`] looked at.
pub(crate) fn routes(most: usize, name: impl Fn(u32) -> Option<String>) -> Result<Routes, Errno> {
    let mut routes = Routes { first: Vec::new(), total: 0, cut: false };
    let mut defaults = Vec::new();
    for family in [INET, INET6] {
        let mut seen = 0_u64;
        let request = [&[family][..], &[0; 11]].concat();
        // A new socket each: a dump that is left early leaves answers behind.
        Netlink::open(None)?.dump(GET_ROUTE, &request, |body| {
            seen += 1;
            if let Some(route) = route(body, &name) {
                routes.total += 1;
                let kept = if route.destination.ends_with("/0") { &mut defaults } else { &mut routes.first };
                if kept.len() < most {
                    kept.push(route);
                }
            }
            routes.cut |= seen == MOST_COUNTED;
            if seen < MOST_COUNTED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    defaults.sort_by_key(|route| route.metric);
    defaults.append(&mut routes.first);
    defaults.truncate(most);
    routes.first = defaults;
    Ok(routes)
}

/// A router of the whole internet has a million; beyond this the rest is not counted.
pub(crate) const MOST_COUNTED: u64 = 100_000;

/// `struct ifinfomsg`: family, padding, type, index, flags, change.
fn link(body: &[u8]) -> Option<Interface> {
    let (hardware, index, flags) = (u16_at(body, 2)?, u32_at(body, 4)?, u32_at(body, 8)?);
    let kind = match hardware {
        772 => "loopback",
        1 => "ethernet",
        776 => "sit",
        768 => "ipip",
        _ => "other",
    };
    let mut interface = Interface {
        name: String::new(),
        index,
        kind: kind.to_owned(),
        mac: None,
        // IFF_UP.
        up: flags & 1 != 0,
        state: "unknown".to_owned(),
        mtu: 0,
        addresses: Vec::new(),
        counters: Counters::default(),
    };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            1 if value.len() == 6 => interface.mac = Some(mac(value)),
            3 => interface.name = text(value),
            4 => interface.mtu = u32_at(value, 0)?,
            16 => state(*value.first()?).clone_into(&mut interface.state),
            18 => {
                if let Some((_, kind)) = attributes(value).find(|(kind, _)| *kind == 1) {
                    interface.kind = text(kind);
                }
            }
            23 => interface.counters = counters(value)?,
            _ => {}
        }
    }
    (!interface.name.is_empty()).then_some(interface)
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// Text that ends at its NUL.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// RFC 2863, as linux/if.h numbers it.
fn state(number: u8) -> &'static str {
    match number {
        1 => "not_present",
        2 => "down",
        3 => "lower_layer_down",
        4 => "testing",
        5 => "dormant",
        6 => "up",
        _ => "unknown",
    }
}

/// `struct rtnl_link_stats64`.
fn counters(value: &[u8]) -> Option<Counters> {
    let number = |at: usize| u64_at(value, at * 8);
    Some(Counters {
        rx_packets: number(0)?,
        tx_packets: number(1)?,
        rx_bytes: number(2)?,
        tx_bytes: number(3)?,
        rx_errors: number(4)?,
        tx_errors: number(5)?,
        rx_dropped: number(6)?,
        tx_dropped: number(7)?,
    })
}

/// `struct ifaddrmsg`: family, bits, flags, scope, index.
fn address(body: &[u8]) -> Option<(u32, Address)> {
    let [_, prefix, _, scope, ..] = *body else { return None };
    let index = u32_at(body, 4)?;
    let find =
        |wanted: u16| attributes(body.get(8..)?).find(|(kind, _)| *kind == wanted).and_then(|(_, v)| ip(v));
    // Of a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours.
    let address = find(2).or_else(|| find(1))?;
    let scope = match scope {
        0 => "global",
        200 => "site",
        253 => "link",
        254 => "host",
        _ => "other",
    };
    Some((index, Address { address: address.to_string(), prefix, scope: scope.to_owned() }))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

/// `struct rtmsg`: family, bits of destination and source, tos, table, protocol, scope, type, flags. Only the main table.
fn route(body: &[u8], name: &impl Fn(u32) -> Option<String>) -> Option<Route> {
    let [family, bits, _, _, table, _, _, kind, ..] = *body else { return None };
    let flags = u32_at(body, 8)?;
    let mut table = u32::from(table);
    let (mut destination, mut gateway, mut interface, mut source, mut metric) = (None, None, None, None, 0);
    let mut hop = |kind: u16, value: &[u8]| match kind {
        4 if interface.is_none() => interface = u32_at(value, 0),
        5 if gateway.is_none() => gateway = ip(value),
        // RTA_VIA: the gateway is of another family, which stands before it.
        18 if gateway.is_none() => gateway = value.get(2..).and_then(ip),
        _ => {}
    };
    let mut hops: &[u8] = &[];
    for (kind, value) in attributes(body.get(12..)?) {
        match kind {
            1 => destination = Some(ip(value)?),
            6 => metric = u32_at(value, 0)?,
            7 => source = ip(value),
            9 => hops = value,
            15 => table = u32_at(value, 0)?,
            _ => hop(kind, value),
        }
    }
    // Of several ways, the first: struct rtnexthop is length, flags, weight, interface, attributes.
    if let Some(length) = u16_at(hops, 0)
        && let Some(first) = hops.get(8..usize::from(length))
    {
        hop(4, hops.get(4..8)?);
        attributes(first).for_each(|(kind, value)| hop(kind, value));
    }
    let any: IpAddr = match family {
        INET => Ipv4Addr::UNSPECIFIED.into(),
        INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let kind = match kind {
        1 => "unicast",
        6 => "blackhole",
        7 => "unreachable",
        8 => "prohibit",
        _ => "other",
    };
    (table == MAIN && flags & CLONED == 0).then(|| Route {
        destination: format!("{}/{bits}", destination.unwrap_or(any)),
        gateway: gateway.map(|address| address.to_string()),
        interface: interface.and_then(name),
        metric,
        source: source.map(|address| address.to_string()),
        kind: kind.to_owned(),
    })
}

/// linux/rtnetlink.h.
const GET_LINK: u16 = 18;
const GET_ADDRESS: u16 = 22;
const GET_ROUTE: u16 = 26;
const MAIN: u32 = 254;
const CLONED: u32 = 0x200;
const INET: u8 = 2;
const INET6: u8 = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_loopback_is_there_with_its_address() {
        let (all, total) = interfaces(1000).unwrap();
        assert_eq!(all.len() as u64, total);
        let loopback = all.iter().find(|interface| interface.name == "lo").unwrap();
        assert_eq!((loopback.kind.as_str(), loopback.index), ("loopback", 1));
        assert!(
            !loopback.up
                || loopback
                    .addresses
                    .iter()
                    .any(|address| address.address == "127.0.0.1" && address.prefix == 8)
        );
        assert_eq!(interfaces(0).unwrap().0, []);
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_route_of_several_ways_shows_the_first() {
        let head = |table: u8| [INET, 0, 0, 0, table, 3, 0, 1, 0, 0, 0, 0];
        let name = |index: u32| Some(format!("eth{index}"));
        let gateway = attribute(5, &[192, 0, 2, 1]);
        let one = [&head(254)[..], &gateway, &attribute(4, &3_u32.to_ne_bytes())].concat();
        let parsed = route(&one, &name).unwrap();
        assert_eq!(
            (parsed.destination.as_str(), parsed.gateway.as_deref(), parsed.interface.as_deref()),
            ("0.0.0.0/0", Some("192.0.2.1"), Some("eth3"))
        );
        let way = [&16_u16.to_ne_bytes()[..], &[0, 0], &5_u32.to_ne_bytes(), &gateway].concat();
        let several = [&head(254)[..], &attribute(9, &way)].concat();
        assert_eq!(route(&several, &name).unwrap().interface.as_deref(), Some("eth5"));
        assert_eq!(route(&[&head(255)[..], &gateway].concat(), &name), None, "the local table");
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_is_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (link(&bytes), address(&bytes), route(&bytes, &|_| None));
        }
    }
}
