//! From systemd's properties to what we say of a unit.

use agentd_root::protected;
use agentd_root::systemd::Properties;
use osmoda_types::Timestamp;
use osmoda_types::api::agentd::service::{ServiceRow, ServiceState, UnitState};

use super::words;

/// All about a unit but its journal; `service` is empty for other kinds.
pub(super) fn full(unit: &Properties, service: &Properties) -> ServiceState {
    let id = unit.text("Id");
    let names = unit.texts("Names");
    let why = names.iter().filter_map(|name| name.parse().ok()).find_map(|name| protected(&name));
    ServiceState {
        aliases: names.into_iter().filter(|name| *name != id).collect(),
        row: ServiceRow {
            unit: id,
            load: unit.text("LoadState"),
            active: unit.text("ActiveState"),
            sub: unit.text("SubState"),
            description: unit.text("Description"),
        },
        load_error: said(unit.text_pair("LoadError").1),
        enabled: said(unit.text("UnitFileState")),
        protected: why.map(str::to_owned),
        main_pid: main_pid(service),
        since: micros(unit.number("StateChangeTimestamp")),
        memory_bytes: service.number("MemoryCurrent"),
        tasks: service.number("TasksCurrent"),
        restarts: service.number("NRestarts").and_then(|count| u32::try_from(count).ok()),
        result: said(service.text("Result")),
        last_exit: last_exit(service),
        fragment_path: said(unit.text("FragmentPath")),
        triggered_by: unit.texts("TriggeredBy"),
        journal: Vec::new(),
        journal_unread: None,
    }
}

/// The state in short.
pub(super) fn short(unit: &Properties, service: &Properties) -> UnitState {
    UnitState { active: unit.text("ActiveState"), sub: unit.text("SubState"), main_pid: main_pid(service) }
}

/// How the main process last ended.
pub(super) fn last_exit(service: &Properties) -> Option<String> {
    words::exit(service.number("ExecMainCode")?, service.number("ExecMainStatus")?)
}

fn main_pid(service: &Properties) -> Option<u32> {
    service.number("MainPID").and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0)
}

/// systemd's empty string is "there is none".
fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Microseconds since 1970; 0 is never.
fn micros(number: Option<u64>) -> Option<Timestamp> {
    let millis = i64::try_from(number.filter(|micros| *micros != 0)? / 1000).ok()?;
    Timestamp::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_does_not_know_is_null() {
        let state = full(&Properties::default(), &Properties::default());
        assert_eq!((state.main_pid, state.since, state.last_exit, state.enabled), (None, None, None, None));
        assert_eq!(micros(Some(0)), None);
        assert_eq!(micros(Some(1_777_888_999_123_456)).unwrap().as_millis(), 1_777_888_999_123);
        assert_eq!(micros(Some(u64::MAX)), None);
    }
}
