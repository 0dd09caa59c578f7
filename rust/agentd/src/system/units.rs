//! systemd's services, as systemctl shows them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use osmoda_types::api::agentd::system::Unit;
use tokio::process::Command;

use super::HostError;

/// A manager that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every unit of type service that systemd has in memory, by name.
pub(super) async fn services() -> Result<Vec<Unit>, HostError> {
    // sd_booted(3): the folder is there only where systemd is the init.
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(HostError::NoSystemd);
    }
    let mut command = Command::new("systemctl");
    // Not list-units --output=json, which does not tell the main process.
    command.args([
        "show",
        "--all",
        "--no-pager",
        "--property=Id,LoadState,ActiveState,SubState,Description,MainPID",
    ]);
    command.args(["--", "*.service"]);
    command.env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let answer = tokio::time::timeout(PATIENCE, command.output()).await;
    let silent = |source| HostError::Systemctl { source };
    let answer = answer.map_err(|_| silent(std::io::ErrorKind::TimedOut.into()))?.map_err(silent)?;
    if !answer.status.success() {
        return Err(silent(std::io::Error::other(answer.status.to_string())));
    }
    Ok(parse(&String::from_utf8_lossy(&answer.stdout)))
}

/// Blocks of `Name=value` lines with an empty line between two units.
fn parse(shown: &str) -> Vec<Unit> {
    let unit = |block: &str| {
        let property = |name: &str| {
            let value = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
            block.lines().find_map(value).unwrap_or_default()
        };
        Some(Unit {
            unit: Some(property("Id")).filter(|id| !id.is_empty())?,
            load: property("LoadState"),
            active: property("ActiveState"),
            sub: property("SubState"),
            description: property("Description"),
            main_pid: property("MainPID").parse().ok().filter(|pid| *pid != 0),
        })
    };
    let mut units: Vec<Unit> = shown.split("\n\n").filter_map(unit).collect();
    units.sort_by(|a, b| a.unit.cmp(&b.unit));
    // A unit is shown under each name the pattern matches.
    units.dedup_by(|a, b| a.unit == b.unit);
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_is_a_unit_whatever_its_description_says() {
        let shown = "MainPID=812\nId=ssh.service\nDescription=OpenBSD Secure Shell server, Id=x\nLoadState=loaded\nActiveState=active\nSubState=running\n\n\
            MainPID=0\nId=acpid.service\nDescription=\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n\n\
            MainPID=812\nId=ssh.service\nDescription=OpenBSD Secure Shell server, Id=x\nLoadState=loaded\nActiveState=active\nSubState=running\n";
        let [acpid, ssh] = &parse(shown)[..] else { panic!("two units") };
        assert_eq!(
            (acpid.unit.as_str(), acpid.load.as_str(), acpid.main_pid),
            ("acpid.service", "not-found", None)
        );
        assert_eq!((ssh.sub.as_str(), ssh.main_pid), ("running", Some(812)));
        assert_eq!(ssh.description, "OpenBSD Secure Shell server, Id=x");
        assert!(parse("").is_empty());
    }
}
