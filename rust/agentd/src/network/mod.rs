//! The network of this machine, read as an ordinary user.

mod resolver;

use std::fs;

use osmoda_types::api::agentd::network::NetworkInfoOut;
use osmoda_types::{Code, Problem};

use crate::netlink::route;

/// Interfaces and routes that are listed; what is beyond is only counted.
const MOST_ROWS: usize = 1000;

/// Everything `GET /network` tells. Blocks.
pub(crate) fn info() -> Result<NetworkInfoOut, Problem> {
    let silent = |error: rustix::io::Errno| {
        tracing::error!(%error, "the kernel does not tell of its network");
        Problem::new(Code::HostUnreadable).detail("netlink did not answer")
    };
    let (interfaces, interfaces_total) = route::interfaces(MOST_ROWS).map_err(silent)?;
    let name = |index| interfaces.iter().find(|known| known.index == index).map(|known| known.name.clone());
    let routes = route::routes(MOST_ROWS, name).map_err(silent)?;
    let is_way_out = |route: &&_| {
        let route: &osmoda_types::api::agentd::network::Route = route;
        route.destination.ends_with("/0") && route.kind == "unicast"
    };
    let default_gateways = routes.first.iter().filter(is_way_out).cloned().collect();
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Ok(NetworkInfoOut {
        hostname: hostname.trim_end().to_owned(),
        interfaces,
        interfaces_total,
        default_gateways,
        routes: routes.first,
        routes_total: routes.total,
        routes_cut: routes.cut,
        dns: resolver::dns(),
    })
}
