//! systemd's services with their main processes.

use agentd_root::systemd::{Listed, Systemd};
use futures_util::{StreamExt, TryStreamExt, stream};
use osmoda_types::api::agentd::system::Unit;

use super::HostError;

/// Questions to systemd that are under way at once.
const AT_ONCE: usize = 16;

/// Every unit of type service that systemd has in memory, by name.
pub(super) async fn services() -> Result<Vec<Unit>, HostError> {
    let systemd = Systemd::connect().await?;
    let with_pid = |unit: Listed| {
        let systemd = &systemd;
        async move {
            // What is down has no process; a unit may go between list and question.
            let down = ["inactive", "failed"].contains(&unit.active.as_str());
            let main_pid = if down { None } else { systemd.main_pid(&unit).await.unwrap_or_default() };
            let Listed { unit, load, active, sub, description, .. } = unit;
            Ok(Unit { unit, load, active, sub, description, main_pid })
        }
    };
    stream::iter(known(&systemd).await?).map(with_pid).buffered(AT_ONCE).try_collect().await
}

/// The same without main processes, in a tenth of the time: systemd answers one question, not one for each unit.
pub(super) async fn listed() -> Result<Vec<Unit>, HostError> {
    let without_pid = |Listed { unit, load, active, sub, description, .. }| Unit {
        unit,
        load,
        active,
        sub,
        description,
        main_pid: None,
    };
    Ok(known(&Systemd::connect().await?).await?.into_iter().map(without_pid).collect())
}

async fn known(systemd: &Systemd) -> Result<Vec<Listed>, HostError> {
    let mut listed = systemd.list().await?;
    listed.retain(|unit| unit.unit.ends_with(".service"));
    listed.sort_by(|a, b| a.unit.cmp(&b.unit));
    Ok(listed)
}
