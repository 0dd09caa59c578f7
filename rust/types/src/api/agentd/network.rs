//! The network as the kernel has it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Call, Code, Daemon, Empty, Endpoint, Method, Toolset};

/// Every network call that only looks.
pub const CALLS: &[Call] = &[NetworkInfo::CALL];

/// Interfaces, routes and names of agentd's network namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkInfoOut {
    /// The machine's name.
    pub hostname: String,
    /// By index; 1000 at the most.
    pub interfaces: Vec<Interface>,
    /// How many interfaces there are.
    pub interfaces_total: u64,
    /// Where packets for everywhere go, the preferred one first.
    pub default_gateways: Vec<Route>,
    /// The main table, default routes first; 1000 at the most.
    pub routes: Vec<Route>,
    /// How many routes the main table has.
    pub routes_total: u64,
    /// The table was longer than is counted, so `routes_total` is only what was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub routes_cut: bool,
    /// How names are resolved.
    pub dns: Dns,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// `loopback`, `ethernet`, `wireguard`, `bridge`, `veth` …; `other` where the kernel does not say.
    pub kind: String,
    /// Its hardware address.
    pub mac: Option<String>,
    /// Whether it is switched on.
    pub up: bool,
    /// The kernel's word: `up`, `down`, `dormant`, `unknown` …
    pub state: String,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// What went through it since it exists.
    pub counters: Counters,
}

/// One address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The address.
    pub address: String,
    /// Bits of its network.
    pub prefix: u8,
    /// `global`, `site`, `link`, `host`.
    pub scope: String,
}

/// Counters of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counters {
    /// Received bytes.
    pub rx_bytes: u64,
    /// Received packets.
    pub rx_packets: u64,
    /// Received packets that were damaged.
    pub rx_errors: u64,
    /// Received packets there was no room for.
    pub rx_dropped: u64,
    /// Sent bytes.
    pub tx_bytes: u64,
    /// Sent packets.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets to send there was no room for.
    pub tx_dropped: u64,
}

/// One route of the main table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// `0.0.0.0/0`, `::/0`, `10.0.0.0/8` …
    pub destination: String,
    /// Where to; null where the destination is on the interface itself.
    pub gateway: Option<String>,
    /// Through which interface.
    pub interface: Option<String>,
    /// The smaller, the more preferred.
    pub metric: u32,
    /// The address packets get.
    pub source: Option<String>,
    /// `unicast`, `blackhole`, `unreachable`, `prohibit`, `other`.
    pub kind: String,
}

/// How names are resolved (resolv.conf(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dns {
    /// The servers programs here ask.
    pub servers: Vec<String>,
    /// What is tried after a short name.
    pub search: Vec<String>,
    /// Behind the local resolver of systemd: whom it asks.
    pub upstream: Vec<String>,
}

/// `GET /network`.
pub struct NetworkInfo;
impl Endpoint for NetworkInfo {
    type In = Empty;
    type Out = NetworkInfoOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/network",
        "See the network: interfaces with addresses, state and counters, routes, default gateway, DNS servers, hostname.",
    )
    .tool("network_info", Toolset::System)
    .errors(&[Code::HostUnreadable])
    .example(|| {
        let route = json!({"destination": "0.0.0.0/0", "gateway": "192.0.2.1", "interface": "eth0", "metric": 100, "source": null, "kind": "unicast"});
        let counters = json!({"rx_bytes": 1_048_576, "rx_packets": 900, "rx_errors": 0, "rx_dropped": 0,
            "tx_bytes": 65_536, "tx_packets": 400, "tx_errors": 0, "tx_dropped": 0});
        (json!({}), json!({"hostname": "box", "interfaces": [{"name": "eth0", "index": 2, "kind": "ethernet", "mac": "02:00:00:00:00:01",
            "up": true, "state": "up", "mtu": 1500, "addresses": [{"address": "192.0.2.7", "prefix": 24, "scope": "global"}], "counters": counters}],
            "interfaces_total": 1, "default_gateways": [route], "routes": [route], "routes_total": 1,
            "dns": {"servers": ["192.0.2.1"], "search": [], "upstream": []}}))
    });
}
