//! Parameters of the kernel: their names, which may be adjusted, and the two calls.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::json;

use crate::{Call, Code, Daemon, Effect, Endpoint, Method, Text, Toolset, Undo};

/// Every sysctl call.
pub const CALLS: &[Call] = &[SysctlGet::CALL, SysctlSet::CALL];

/// The name of a parameter in dotted form, such as `net.core.somaxconn`. A dot that belongs to a name stands as a slash,
/// as in sysctl(8): `net.ipv4.conf.eth0/100.rp_filter`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct SysctlKey(String);

impl SysctlKey {
    /// Longest name in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Refuses what is no name: other characters, empty parts, parts that lead upwards.
    ///
    /// # Errors
    /// [`NotASysctl`].
    pub fn new(text: &str) -> Result<Self, NotASysctl> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:@/".contains(&byte);
        let is_part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(allowed)
                // `.` and `..` on disk; a slash at an end is none of a name.
                && !part.bytes().all(|byte| byte == b'/')
                && !part.starts_with('/')
                && !part.ends_with('/')
        };
        let valid = text.len() <= Self::MAX_BYTES && text.contains('.') && text.split('.').all(is_part);
        if valid { Ok(Self(text.to_owned())) } else { Err(NotASysctl) }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its file below /proc/sys.
    pub fn path(&self) -> String {
        let swapped = |letter| match letter {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        self.0.chars().map(swapped).collect()
    }

    /// Whether `sysctl_set` may write it: what tunes memory, network and limits of files. What guards the machine
    /// (`kernel.*`, forwarding, filters, protections of links, address layout), what holds a secret and what a later kernel
    /// brings is not in the list.
    pub fn is_adjustable(&self) -> bool {
        ADJUSTABLE.contains(&self.as_str())
    }
}

/// Every parameter that may be written, as `docs/network.md` lists them.
pub const ADJUSTABLE: &[&str] = &[
    "fs.aio-max-nr",
    "fs.file-max",
    "fs.inotify.max_queued_events",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "net.core.default_qdisc",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.netdev_max_backlog",
    "net.core.optmem_max",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_retries1",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
    "net.netfilter.nf_conntrack_max",
    "vm.compaction_proactiveness",
    "vm.dirty_background_bytes",
    "vm.dirty_background_ratio",
    "vm.dirty_bytes",
    "vm.dirty_expire_centisecs",
    "vm.dirty_ratio",
    "vm.dirty_writeback_centisecs",
    "vm.max_map_count",
    "vm.min_free_kbytes",
    "vm.nr_hugepages",
    "vm.overcommit_kbytes",
    "vm.overcommit_memory",
    "vm.overcommit_ratio",
    "vm.page-cluster",
    "vm.swappiness",
    "vm.vfs_cache_pressure",
    "vm.watermark_boost_factor",
    "vm.watermark_scale_factor",
    "vm.zone_reclaim_mode",
];

/// The text is no name of a parameter.
#[derive(Debug, thiserror::Error)]
#[error("not a parameter's name: parts of letters, digits, _ - : @, joined by dots, 256 bytes at the most")]
pub struct NotASysctl;

impl fmt::Display for SysctlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SysctlKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for SysctlKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SysctlKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let part = "[A-Za-z0-9_:@-]+(/[A-Za-z0-9_:@/-]*[A-Za-z0-9_:@-])?";
        json_schema!({"type": "string", "maxLength": SysctlKey::MAX_BYTES, "pattern": format!("^{part}(\\.{part})+$")})
    }
}

/// Which parameter.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SysctlGetIn {
    /// Its name, such as `vm.swappiness`.
    pub key: SysctlKey,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SysctlGetOut {
    /// Its name.
    pub key: String,
    /// Its value; several numbers stand apart by a tab, as the kernel writes them.
    pub value: String,
    /// Whether `sysctl_set` may write it.
    pub adjustable: bool,
}

/// `GET /sysctl`.
pub struct SysctlGet;
impl Endpoint for SysctlGet {
    type In = SysctlGetIn;
    type Out = SysctlGetOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/sysctl",
        "Read a parameter of the kernel, and whether it may be set.",
    )
    .tool("sysctl_get", Toolset::System)
    .errors(&[Code::SysctlNotFound, Code::PolicyDenied, Code::HostUnreadable])
    .example(|| {
        (json!({"key": "vm.swappiness"}), json!({"key": "vm.swappiness", "value": "60", "adjustable": true}))
    });
}

/// A parameter and its new value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SysctlSetIn {
    /// Its name.
    pub key: SysctlKey,
    /// What to write, on one line; several numbers stand apart by spaces.
    pub value: Text<256>,
}

/// What it was and what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SysctlSetOut {
    /// Its name.
    pub key: String,
    /// The value before; null where it can only be written.
    pub before: Option<String>,
    /// The value as the kernel took it, read back.
    pub after: Option<String>,
}

/// `POST /sysctl`.
pub struct SysctlSet;
impl Endpoint for SysctlSet {
    type In = SysctlSetIn;
    type Out = SysctlSetOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Journal,
        Daemon::Agentd,
        Method::Post,
        "/sysctl",
        "Set a parameter of the kernel until the next boot. Only those that tune memory, network and file limits; docs/network.md lists them.",
    )
    .tool("sysctl_set", Toolset::System)
    .errors(&[
        Code::SysctlNotFound,
        Code::SysctlRejected,
        Code::PolicyDenied,
        Code::RootRequired,
        Code::HostUnreadable,
    ])
    .example(|| {
        (
            json!({"key": "net.ipv4.tcp_rmem", "value": "4096 131072 8388608"}),
            json!({"key": "net.ipv4.tcp_rmem", "before": "4096\t131072\t6291456", "after": "4096\t131072\t8388608"}),
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_its_folder() {
        let key = |text| SysctlKey::new(text).map(|key| key.path());
        assert_eq!(key("net.core.somaxconn").unwrap(), "net/core/somaxconn");
        assert_eq!(key("net.ipv4.conf.eth0/100.rp_filter").unwrap(), "net/ipv4/conf/eth0.100/rp_filter");
        let long = format!("vm.{}", "a".repeat(254));
        for bad in [
            "",
            "vm",
            ".",
            "..",
            "vm.",
            ".vm.x",
            "vm..x",
            "vm.//.x",
            "vm.x/",
            "/etc/passwd",
            "vm./x",
            "../../etc/passwd",
            "vm.x\0",
            "vm.x\n",
            "vm.swäppiness",
            "vm. swappiness",
            "vm.x=1",
            &long,
        ] {
            assert!(SysctlKey::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_of_names() {
        assert!(ADJUSTABLE.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ADJUSTABLE.iter().all(|key| SysctlKey::new(key).unwrap().is_adjustable()));
        for guarded in [
            "kernel.randomize_va_space",
            "net.ipv4.ip_forward",
            "net.ipv4.tcp_fastopen_key",
            "vm.mmap_min_addr",
            "net.core.bpf_jit_harden",
        ] {
            assert!(!SysctlKey::new(guarded).unwrap().is_adjustable(), "{guarded}");
        }
    }
}
