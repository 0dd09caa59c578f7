//! The two sets of the table `inet osmoda`, as nft's JSON has them (libnftables-json(5)).
//!
//! One opening is an element `protocol . port . source`. A set holds addresses of one family, so an opening for everybody
//! is an element of each.

use std::net::IpAddr;

use osmoda_types::api::agentd::firewall::{OpenPorts, Source};
use osmoda_types::api::agentd::system::Protocol;
use serde_json::{Value, json};

/// Name of the table in family `inet`.
pub(crate) const TABLE: &str = "osmoda";
/// The set of IPv4 sources.
pub(crate) const SET_V4: &str = "allow4";
/// The set of IPv6 sources.
pub(crate) const SET_V6: &str = "allow6";

/// The openings in the answer to `nft -j list table inet osmoda`; `None` where the two sets are not in it.
pub(crate) fn openings(listed: &Value) -> Option<Vec<OpenPorts>> {
    let objects = listed.get("nftables")?.as_array()?;
    let set = |name: &str| {
        let mut sets = objects.iter().filter_map(|object| object.get("set"));
        sets.find(|set| set["name"] == name && set["table"] == TABLE && set["family"] == "inet")
    };
    let elements = |set: &Value| set["elem"].as_array().cloned().unwrap_or_default();
    let four = elements(set(SET_V4)?);
    let six = elements(set(SET_V6)?);
    let mut six: Vec<OpenPorts> = six.iter().filter_map(element).collect();
    let mut all: Vec<OpenPorts> = Vec::new();
    for mut ports in four.iter().filter_map(element) {
        let everybody_else = |other: &OpenPorts| {
            other.source == Some(Source::ANY_V6)
                && OpenPorts { source: ports.source, ..*other }.is_same(&ports)
        };
        if ports.source == Some(Source::ANY_V4)
            && let Some(at) = six.iter().position(everybody_else)
        {
            six.swap_remove(at);
            ports.source = None;
        }
        all.push(ports);
    }
    all.append(&mut six);
    all.sort();
    Some(all)
}

/// `{"concat": [protocol, port, source]}`, in `{"elem": {"val": …, "timeout": …, "expires": …}}` where it has a time.
fn element(element: &Value) -> Option<OpenPorts> {
    let timed = element.get("elem");
    let value = timed.map_or(element, |timed| &timed["val"]);
    let [protocol, port, source] = value.get("concat")?.as_array()?.as_slice() else { return None };
    let protocol = match protocol.as_str()? {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    let number = |value: &Value| u16::try_from(value.as_u64()?).ok();
    let (port, to_port) = match port.get("range").and_then(Value::as_array).map(Vec::as_slice) {
        Some([first, last]) => (number(first)?, Some(number(last)?)),
        Some(_) => return None,
        None => (number(port)?, None),
    };
    let secs = |name: &str| timed?.get(name)?.as_u64();
    Some(OpenPorts {
        protocol,
        port,
        to_port,
        source: Some(network(source)?),
        ttl_secs: secs("timeout"),
        expires_in_secs: secs("expires"),
    })
}

fn network(value: &Value) -> Option<Source> {
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    let prefix = value.get("prefix")?;
    let address: IpAddr = prefix.get("addr")?.as_str()?.parse().ok()?;
    Source::new(address, u8::try_from(prefix.get("len")?.as_u64()?).ok()?)
}

/// The commands that put `new` in the place of `old`; nft does all of them or none.
pub(crate) fn replacing(old: Option<&OpenPorts>, new: Option<&OpenPorts>) -> Value {
    let commands = |verb: &'static str, ports: &OpenPorts| {
        let sources = ports.source.map_or(vec![Source::ANY_V4, Source::ANY_V6], |source| vec![source]);
        let ports = *ports;
        sources.into_iter().map(move |source| {
            let set = if source.address().is_ipv4() { SET_V4 } else { SET_V6 };
            // A time is none of what an element is found by.
            let ttl = ports.ttl_secs.filter(|_| verb == "add");
            json!({verb: {"element": {"family": "inet", "table": TABLE, "name": set, "elem": [written(&ports, source, ttl)]}}})
        })
    };
    let old = old.into_iter().flat_map(|ports| commands("delete", ports));
    let new = new.into_iter().flat_map(|ports| commands("add", ports));
    json!({"nftables": old.chain(new).collect::<Vec<Value>>()})
}

fn written(ports: &OpenPorts, source: Source, ttl_secs: Option<u64>) -> Value {
    let protocol = match ports.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let port = ports.to_port.map_or(json!(ports.port), |last| json!({"range": [ports.port, last]}));
    let source = if source.is_one() {
        json!(source.address().to_string())
    } else {
        json!({"prefix": {"addr": source.address().to_string(), "len": source.bits()}})
    };
    let value = json!({"concat": [protocol, port, source]});
    ttl_secs.map_or(value.clone(), |secs| json!({"elem": {"val": value, "timeout": secs}}))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As nft 1.0.6 prints it.
    const LISTED: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"table": {"family": "inet", "name": "osmoda", "handle": 1}},
        {"set": {"family": "inet", "name": "allow4", "table": "osmoda", "type": ["inet_proto", "inet_service", "ipv4_addr"], "handle": 2, "flags": ["interval", "timeout"],
        "elem": [{"concat": ["tcp", 8080, {"prefix": {"addr": "0.0.0.0", "len": 0}}]}, {"elem": {"val": {"concat": ["udp", {"range": [9000, 9010]},
        {"prefix": {"addr": "10.0.0.0", "len": 8}}]}, "timeout": 60, "expires": 59}}, {"concat": ["tcp", {"range": [8000, 8090]}, "10.1.2.3"]}]}},
        {"set": {"family": "inet", "name": "allow6", "table": "osmoda", "type": ["inet_proto", "inet_service", "ipv6_addr"], "handle": 3, "flags": ["interval", "timeout"],
        "elem": [{"concat": ["tcp", 8080, {"prefix": {"addr": "::", "len": 0}}]}]}}]}"#;

    #[test]
    fn an_opening_for_everybody_is_one_opening() {
        let all = openings(&serde_json::from_str(LISTED).unwrap()).unwrap();
        let shown: Vec<Value> = all.iter().map(|ports| serde_json::to_value(ports).unwrap()).collect();
        assert_eq!(
            shown,
            [
                json!({"protocol": "tcp", "port": 8000, "to_port": 8090, "source": "10.1.2.3"}),
                json!({"protocol": "tcp", "port": 8080}),
                json!({"protocol": "udp", "port": 9000, "to_port": 9010, "source": "10.0.0.0/8", "ttl_secs": 60, "expires_in_secs": 59}),
            ]
        );
        assert_eq!(openings(&json!({"nftables": []})), None);
        assert_eq!(openings(&json!([])), None);
    }

    fn sources() -> impl Strategy<Value = Option<Source>> {
        let four =
            (any::<[u8; 4]>(), 1..=32_u8).prop_map(|(address, bits)| Source::new(address.into(), bits));
        let six =
            (any::<[u8; 16]>(), 1..=128_u8).prop_map(|(address, bits)| Source::new(address.into(), bits));
        prop_oneof![Just(None), four, six]
    }

    proptest! {
        /// What is added is what a listing of the same elements gives back.
        #[test]
        fn an_opening_comes_back_as_it_was_written(source in sources(), port in 1..u16::MAX, more in 0..9_u16, ttl in prop::option::of(1..9999_u64), udp in any::<bool>()) {
            let to_port = (more > 0).then_some(port.saturating_add(more)).filter(|last| *last > port);
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let ports = OpenPorts { protocol, port, to_port, source, ttl_secs: ttl, expires_in_secs: None };
            let commands = replacing(Some(&ports), Some(&ports));
            let elements = |verb: &str, set: &str| -> Vec<Value> {
                let commands = commands["nftables"].as_array().unwrap().iter();
                let of_set = commands.filter_map(|c| c.get(verb)).map(|c| &c["element"]).filter(|e| e["name"] == set);
                of_set.flat_map(|e| e["elem"].as_array().unwrap().clone()).collect()
            };
            for verb in ["add", "delete"] {
                let set = |name: &str| json!({"set": {"family": "inet", "table": TABLE, "name": name, "elem": elements(verb, name)}});
                let listed = json!({"nftables": [set(SET_V4), set(SET_V6)]});
                let found = openings(&listed).unwrap();
                prop_assert_eq!(found.len(), 1);
                prop_assert!(found[0].is_same(&ports));
                prop_assert_eq!(found[0].ttl_secs, ttl.filter(|_| verb == "add"));
            }
        }

        #[test]
        fn any_answer_is_read_or_is_none(text in ".{0,200}", protocol in ".{0,5}", number in any::<i64>()) {
            if let Ok(value) = serde_json::from_str(&text) {
                let _ = openings(&value);
            }
            for odd in [json!(number), json!({"range": [number]}), json!({"range": [number, number]}), json!({"prefix": {"addr": protocol, "len": number}})] {
                let _ = element(&json!({"concat": [protocol, odd, odd]}));
                let _ = element(&json!({"elem": {"val": {"concat": ["tcp", odd, "::1"]}, "timeout": odd}}));
            }
        }
    }
}
