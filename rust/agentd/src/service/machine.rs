//! What the machine is, and its kernel and firewall.

use std::path::PathBuf;
use std::sync::Arc;

use osmoda_runtime::{Context, Service};
use osmoda_types::api::agentd::firewall::{FirewallAllow, FirewallList, FirewallRevoke};
use osmoda_types::api::agentd::network::NetworkInfo;
use osmoda_types::api::agentd::process::ProcessSignal;
use osmoda_types::api::agentd::security::SecurityScore;
use osmoda_types::api::agentd::sysctl::{SysctlGet, SysctlSet};
use osmoda_types::api::agentd::system::{SystemDiscover, SystemQuery};
use osmoda_types::api::agentd::telemetry::{TelemetryWindow, TelemetryWindowIn, TelemetryWindowOut};
use osmoda_types::api::agentd::users::UserList;
use osmoda_types::{Code, Empty, Problem};

use super::Agentd;
use crate::blocking::blocking;
use crate::control::{firewall, signal, sysctl};
use crate::network;
use crate::telemetry::{self, Ring};
use crate::undo::Change;

pub(super) fn serve(service: Service<Agentd>) -> Service<Agentd> {
    service
        .on::<SystemQuery, _, _>(|agentd, _, input| async move { Ok(agentd.machine.query(input).await?) })
        .on::<SystemDiscover, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.machine.discover().await?) })
        .on::<NetworkInfo, _, _>(|_, _, Empty {}| blocking(network::info))
        .on::<UserList, _, _>(|agentd, _, input| async move { Ok(agentd.machine.users(input).await?) })
        .on::<SysctlGet, _, _>(|_, _, input| blocking(move || sysctl::get(&input)))
        .on::<SysctlSet, _, _>(|agentd, context, input| async move {
            let key = input.key.clone();
            let set = sysctl::set(&agentd.hands, &context, input).await?;
            if let (Some(before), Some(after)) = (set.before.clone(), set.after.clone())
                && before != after
            {
                agentd.journal.after(&context, Change::Sysctl { key, before, after }).await?;
            }
            Ok(set)
        })
        .on::<ProcessSignal, _, _>(|agentd, context, input| async move {
            signal::send(&agentd.hands, &context, agentd.machine.booted_at()?, input).await
        })
        .on::<FirewallList, _, _>(|agentd, _, Empty {}| async move { firewall::list(&agentd.hands).await })
        .on::<FirewallAllow, _, _>(|agentd, context, input| async move {
            let changed = firewall::allow(&agentd.hands, &context, input).await?;
            let change = Change::Firewall { before: changed.before, after: changed.after };
            agentd.journal.after(&context, change).await?;
            Ok(changed)
        })
        .on::<FirewallRevoke, _, _>(|agentd, context, input| async move {
            let changed = firewall::revoke(&agentd.hands, &context, input).await?;
            let change = Change::Firewall { before: changed.before, after: changed.after };
            agentd.journal.after(&context, change).await?;
            Ok(changed)
        })
        .on::<SecurityScore, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.machine.security().await?) })
        .on::<TelemetryWindow, _, _>(telemetry_window)
}

/// Without a file there is no yesterday; all else goes on.
pub(super) async fn open_telemetry(path: PathBuf) -> Option<Arc<Ring>> {
    let opened = tokio::task::spawn_blocking(move || Ring::open(&path)).await;
    match opened.unwrap_or_else(|_| Err(std::io::Error::other("it ended early"))) {
        Ok(ring) => Some(Arc::new(ring)),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the telemetry cannot be kept");
            None
        }
    }
}

async fn telemetry_window(
    agentd: Arc<Agentd>,
    context: Context,
    input: TelemetryWindowIn,
) -> Result<TelemetryWindowOut, Problem> {
    let ring = agentd.telemetry.clone().ok_or(Code::StateUnwritable)?;
    blocking(move || telemetry::window(&ring, context.now(), &input)).await
}
