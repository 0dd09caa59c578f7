//! Openings in the firewall: elements of one named set, never a rule.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::json;

use super::system::Protocol;
use crate::{Call, Code, Daemon, Effect, Empty, Endpoint, Method, Toolset, Undo, Within};

/// Every firewall call.
pub const CALLS: &[Call] = &[FirewallList::CALL, FirewallAllow::CALL, FirewallRevoke::CALL];

/// A port.
pub type PortRange = Within<1, 65_535>;

/// A network that packets may come from: an address, or an address and the bits of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    address: IpAddr,
    bits: u8,
}

impl Source {
    /// Every IPv4 address.
    pub const ANY_V4: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), bits: 0 };
    /// Every IPv6 address.
    pub const ANY_V6: Self = Self { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), bits: 0 };

    /// The network of these bits around an address; `None` for more bits than it has.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits.into())?).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits.into())?).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Some(Self { address, bits })
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Bits of the network.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Whether it is one address.
    pub fn is_one(self) -> bool {
        self.bits == if self.address.is_ipv4() { 32 } else { 128 }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_one() { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.bits) }
    }
}

/// The text is no address and no network.
#[derive(Debug, thiserror::Error)]
#[error("not an address or a network such as 192.0.2.0/24")]
pub struct NotASource;

impl FromStr for Source {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotASource)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.len() <= 3 && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| NotASource)?
            }
            Some(_) => return Err(NotASource),
        };
        Self::new(address, bits).ok_or(NotASource)
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Source {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 64, "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"})
    }
}

/// Some ports, and who may reach them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct OpenPorts {
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The port, or the first of several.
    pub port: u16,
    /// The last of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<u16>,
    /// Who may reach them; everybody where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// For how long they were opened; for as long as the table is loaded where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_secs: Option<u64>,
    /// What is left of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u64>,
}

impl OpenPorts {
    /// Whether it is the same ports for the same sources, whatever the time.
    pub fn is_same(&self, other: &Self) -> bool {
        let who = |ports: &Self| (ports.protocol, ports.port, ports.last(), ports.source);
        who(self) == who(other)
    }

    /// The last port.
    pub fn last(&self) -> u16 {
        self.to_port.unwrap_or(self.port)
    }
}

/// What is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallListOut {
    /// The table that holds the openings.
    pub table: String,
    /// The openings, by protocol and port; 1000 at the most. Ports the machine's configuration declares are not among them.
    pub openings: Vec<OpenPorts>,
    /// How many there are.
    pub total: u64,
}

/// `GET /network/firewall`.
pub struct FirewallList;
impl Endpoint for FirewallList {
    type In = Empty;
    type Out = FirewallListOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/network/firewall",
        "List the ports that were opened with firewall_allow. Ports the machine's configuration declares are not touched and not listed.",
    )
    .tool("firewall_list", Toolset::System)
    .errors(&[Code::FirewallAbsent, Code::RootRequired, Code::HostUnreadable])
    .example(|| (json!({}), json!({"table": "inet osmoda", "openings": [{"protocol": "tcp", "port": 8443, "source": "192.0.2.0/24",
        "ttl_secs": 3600, "expires_in_secs": 3512}], "total": 1})));
}

/// What to open.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallAllowIn {
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The port, or the first of several.
    pub port: PortRange,
    /// The last of several.
    pub to_port: Option<PortRange>,
    /// Who may reach them; everybody unless told.
    pub source: Option<Source>,
    /// For how long, up to a year; until the table is loaded anew unless told.
    pub ttl_secs: Option<Within<1, 31_536_000>>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallChangeOut {
    /// The opening before; null where there was none.
    pub before: Option<OpenPorts>,
    /// The opening now, read back; null where there is none any more.
    pub after: Option<OpenPorts>,
}

/// `POST /network/firewall`.
pub struct FirewallAllow;
impl Endpoint for FirewallAllow {
    type In = FirewallAllowIn;
    type Out = FirewallChangeOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Destroy,
        Undo::Journal,
        Daemon::Agentd,
        Method::Post,
        "/network/firewall",
        "Open ports in the firewall, for everybody or one network, for some time or until it is loaded anew. No rule is changed.",
    )
    .tool("firewall_allow", Toolset::System)
    .errors(&[Code::FirewallAbsent, Code::FirewallOverlaps, Code::RootRequired, Code::HostUnreadable])
    .example(|| {
        let open = json!({"protocol": "tcp", "port": 8443, "source": "192.0.2.0/24", "ttl_secs": 3600});
        (open, json!({"before": null, "after": {"protocol": "tcp", "port": 8443, "source": "192.0.2.0/24", "ttl_secs": 3600, "expires_in_secs": 3600}}))
    });
}

/// What to close again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallRevokeIn {
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The port, or the first of several, as it was opened.
    pub port: PortRange,
    /// The last of several.
    pub to_port: Option<PortRange>,
    /// The source, as it was opened.
    pub source: Option<Source>,
}

/// `POST /network/firewall/revoke`.
pub struct FirewallRevoke;
impl Endpoint for FirewallRevoke {
    type In = FirewallRevokeIn;
    type Out = FirewallChangeOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Destroy,
        Undo::Journal,
        Daemon::Agentd,
        Method::Post,
        "/network/firewall/revoke",
        "Close ports that firewall_allow opened. Connections that stand go on.",
    )
    .tool("firewall_revoke", Toolset::System)
    .errors(&[Code::FirewallAbsent, Code::FirewallNotFound, Code::RootRequired, Code::HostUnreadable])
    .example(|| {
        (
            json!({"protocol": "tcp", "port": 8443, "source": "192.0.2.0/24"}),
            json!({"before": {"protocol": "tcp", "port": 8443, "source": "192.0.2.0/24", "ttl_secs": 3600, "expires_in_secs": 3512}, "after": null}),
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_network_without_the_bits_of_a_host() {
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("2001:db8::1/64", "2001:db8::/64"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "/",
            "192.0.2.0/33",
            "::/129",
            "192.0.2.0/",
            "192.0.2.0/-1",
            "192.0.2.0/+1",
            "a",
            "192.0.2.0/24/24",
            "192.0.2.0/256",
        ] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }
}
