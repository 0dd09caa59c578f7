//! systemd's units: their state, their list, and acting on them through the privileged half.

mod act;
mod list;
mod state;
mod words;

use std::sync::Arc;

use agentd_root::Hands;
use agentd_root::systemd::Systemd;
use osmoda_types::api::agentd::service::{ServiceState, ServiceStatusIn, ServiceStatusOut, UnitState};
use osmoda_types::{Code, Problem, UnitName, Within};

use crate::journal::Journal;
use crate::undo;

/// The units of this machine.
pub(crate) struct Units {
    hands: Hands,
    undo: Arc<undo::Journal>,
    /// Where their lines are read.
    pub(crate) journal: Journal,
}

/// Journal lines shown with a unit unless told otherwise.
const DEFAULT_LINES: usize = 10;

impl Units {
    /// Acts with these hands.
    pub(crate) fn new(hands: Hands, undo: Arc<undo::Journal>) -> Self {
        Self { hands, undo, journal: Journal::default() }
    }

    /// One unit, or a page of the list.
    ///
    /// # Errors
    /// Arguments that do not go together, an unknown unit, and a machine without systemd.
    pub(crate) async fn status(&self, asked: ServiceStatusIn) -> Result<ServiceStatusOut, Problem> {
        let Some(unit) = asked.unit else {
            if asked.lines.is_some() {
                return Err(Problem::new(Code::RequestField).at("/lines", "belongs to one unit"));
            }
            return list::page(&asked).await;
        };
        let of_list = [
            ("/state", asked.state.is_some()),
            ("/pattern", asked.pattern.is_some()),
            ("/limit", asked.limit.is_some()),
            ("/after", asked.after.is_some()),
        ];
        if let Some((pointer, _)) = of_list.into_iter().find(|(_, given)| *given) {
            return Err(Problem::new(Code::RequestField).at(pointer, "belongs to the list, not to one unit"));
        }
        let service = self.get(&unit, asked.lines).await?;
        Ok(ServiceStatusOut { service: Some(service), services: None, next: None })
    }

    /// One unit with its last journal lines.
    ///
    /// # Errors
    /// An unknown unit, and a machine without systemd. A journal that cannot be read is said in the answer.
    pub(crate) async fn get(
        &self,
        unit: &UnitName,
        lines: Option<Within<0, 100>>,
    ) -> Result<ServiceState, Problem> {
        let systemd = Systemd::connect().await?;
        let found = systemd.unit(unit).await?;
        let service =
            if unit.kind() == "service" { systemd.service(unit).await? } else { Default::default() };
        let mut state = state::full(&found, &service);
        let lines = Within::or(lines, DEFAULT_LINES);
        if lines > 0 {
            let own: UnitName = state.row.unit.parse().unwrap_or_else(|_| unit.clone());
            match self.journal.last(&own, lines).await {
                Ok(lines) => state.journal = lines,
                Err(error) => state.journal_unread = Some(Problem::from(error).code),
            }
        }
        Ok(state)
    }

    /// The state of a unit in short: what there is to go back to.
    ///
    /// # Errors
    /// An unknown unit, and a machine without systemd.
    pub(crate) async fn state_of(&self, unit: &UnitName) -> Result<UnitState, Problem> {
        let systemd = Systemd::connect().await?;
        let found = systemd.unit(unit).await?;
        let service =
            if unit.kind() == "service" { systemd.service(unit).await? } else { Default::default() };
        Ok(state::short(&found, &service))
    }
}
