//! `agentctl health`: the machine on one page.

use std::io;

use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::api::agentd::system::{MachineHealth, SystemHealth, SystemHealthOut};
use osmoda_types::health::Status;
use osmoda_types::{Daemon, Empty};

use crate::exit::{Exit, Outcome};
use crate::screen::{Screen, plain};
use crate::status::complaint;
use crate::units::{bytes, duration, percent};

pub(crate) async fn health(client: &Client, screen: &mut Screen) -> Outcome {
    let health = client.send::<SystemHealth>(&Empty {}).await?;
    if screen.is_json() {
        screen.json(&health)?;
    } else {
        page(&health, screen)?;
    }
    Ok(if health.daemon.status == Status::Ok { Exit::Ok } else { Exit::Failed })
}

fn page(health: &SystemHealthOut, screen: &mut Screen) -> io::Result<()> {
    let SystemHealthOut { daemon, machine } = health;
    lines(machine).iter().try_for_each(|line| screen.line(line))?;
    let status = screen.status(daemon.status);
    let version = plain(&daemon.version);
    screen.line(format_args!("agentd   {status}, {version}, up {}", duration(daemon.uptime_secs)))?;
    for check in daemon.checks.iter().filter(|check| check.status != Status::Ok) {
        screen.line(complaint(Daemon::Agentd, check))?;
    }
    screen.line("")?;
    let disks = machine.disks.iter().map(|disk| {
        let used = percent(disk.used_bytes, disk.used_bytes.saturating_add(disk.available_bytes));
        let (size, free) = (bytes(disk.total_bytes), bytes(disk.available_bytes));
        [plain(&disk.mount), size, free, used, plain(&disk.filesystem), plain(&disk.source)]
            .map(Cell::new)
            .to_vec()
    });
    screen.table(&["DISK", "SIZE", "FREE", "USED", "TYPE", "SOURCE"], disks.collect())
}

fn lines(machine: &MachineHealth) -> Vec<String> {
    let MachineHealth { cpu, memory, swap, load_average: load, uptime, .. } = machine;
    let cores: Vec<String> = cpu.cores.iter().map(|core| format!("{:.0}", core.usage_percent)).collect();
    let swap = match swap.total_bytes {
        0 => "none".into(),
        total => format!("{} of {} used", bytes(swap.used_bytes), bytes(total)),
    };
    vec![
        format!("up       {}", duration(*uptime)),
        format!("load     {:.2} {:.2} {:.2}", load.one, load.five, load.fifteen),
        format!("cpu      {:.1} % of {} cores ({})", cpu.usage_percent, cores.len(), cores.join(" ")),
        format!(
            "memory   {} of {} used ({}), {} available",
            bytes(memory.used_bytes),
            bytes(memory.total_bytes),
            percent(memory.used_bytes, memory.total_bytes),
            bytes(memory.available_bytes)
        ),
        format!("swap     {swap}"),
    ]
}

#[cfg(test)]
mod tests {
    use osmoda_types::Endpoint;

    use super::*;

    #[test]
    fn the_page_says_what_the_numbers_say() {
        let (_, answer) = (SystemHealth::CALL.example)();
        let health: SystemHealthOut = serde_json::from_value(answer).unwrap();
        let lines = lines(&health.machine);
        assert_eq!(
            lines,
            [
                "up       1d",
                "load     0.40 0.30 0.20",
                "cpu      12.5 % of 1 cores (12)",
                "memory   2.0 GiB of 24.0 GiB used (8 %), 22.0 GiB available",
                "swap     none",
            ]
        );
    }
}
