//! systemd's services, as systemctl shows them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use osmoda_types::api::agentd::system::Unit;
use serde_json::Value;
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
    // Not list-units --output=json, which does not tell the main process.
    let properties = "--property=Id,LoadState,ActiveState,SubState,Description,MainPID";
    let shown = systemctl(&["show", "--all", "--no-pager", properties, "--", "*.service"]).await?;
    Ok(parse(&String::from_utf8_lossy(&shown)))
}

/// The same without main processes, in a tenth of the time: systemd answers one question, not one for each unit.
pub(super) async fn listed() -> Result<Vec<Unit>, HostError> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(HostError::NoSystemd);
    }
    let list = ["list-units", "--all", "--no-pager", "--output=json", "--type=service"];
    match parse_list(&systemctl(&list).await?) {
        Some(units) => Ok(units),
        // systemd before 246 prints no JSON.
        None => services().await,
    }
}

async fn systemctl(arguments: &[&str]) -> Result<Vec<u8>, HostError> {
    let mut command = Command::new("systemctl");
    command.args(arguments);
    command.env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let answer = tokio::time::timeout(PATIENCE, command.output()).await;
    let silent = |source| HostError::Systemctl { source };
    let answer = answer.map_err(|_| silent(std::io::ErrorKind::TimedOut.into()))?.map_err(silent)?;
    if !answer.status.success() {
        return Err(silent(std::io::Error::other(answer.status.to_string())));
    }
    Ok(answer.stdout)
}

/// `[{"unit": …, "load": …, "active": …, "sub": …, "description": …}]`
fn parse_list(listed: &[u8]) -> Option<Vec<Unit>> {
    let listed: Value = serde_json::from_slice(listed).ok()?;
    let unit = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        Some(Unit {
            unit: Some(text("unit")).filter(|id| !id.is_empty())?,
            load: text("load"),
            active: text("active"),
            sub: text("sub"),
            description: text("description"),
            main_pid: None,
        })
    };
    let mut units: Vec<Unit> = listed.as_array()?.iter().filter_map(unit).collect();
    units.sort_by(|a, b| a.unit.cmp(&b.unit));
    Some(units)
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

    #[test]
    fn a_list_is_read_by_name_and_what_is_none_is_none() {
        let listed = br#"[{"unit":"ssh.service","load":"loaded","active":"active","sub":"running","description":"OpenBSD"},
            {"unit":"a.service","load":"not-found","active":"inactive","sub":"dead","description":""},{"sub":"x"},7]"#;
        let units = parse_list(listed).unwrap();
        assert_eq!(
            units.iter().map(|unit| unit.unit.as_str()).collect::<Vec<_>>(),
            ["a.service", "ssh.service"]
        );
        assert_eq!((units[1].sub.as_str(), units[1].main_pid), ("running", None));
        for none in [&b""[..], b"ssh.service loaded active", b"{}"] {
            assert!(parse_list(none).is_none());
        }
    }
}
