//! systemd's services, as systemctl lists them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use osmoda_types::api::agentd::system::Unit;
use serde::Deserialize;
use tokio::process::Command;

use super::HostError;

/// A manager that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Row {
    unit: String,
    load: String,
    active: String,
    sub: String,
    description: String,
}

/// Every unit of type service, in systemd's order.
pub(super) async fn services() -> Result<Vec<Unit>, HostError> {
    // sd_booted(3): the folder is there only where systemd is the init.
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(HostError::NoSystemd);
    }
    let mut command = Command::new("systemctl");
    command.args(["list-units", "--type=service", "--all", "--output=json", "--no-pager", "--quiet"]);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let failed = |source| HostError::Systemctl { source };
    let answer = tokio::time::timeout(PATIENCE, command.output()).await;
    let answer = answer.map_err(|_| failed(std::io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
    let rows: Vec<Row> = serde_json::from_slice(&answer.stdout).map_err(|error| failed(error.into()))?;
    let unit = |row: Row| Unit {
        unit: row.unit,
        load: row.load,
        active: row.active,
        sub: row.sub,
        description: row.description,
    };
    Ok(rows.into_iter().map(unit).collect())
}
