//! `agentctl status`: every daemon in its own words, the silent ones in ours.

use comfy_table::{Cell, Color};
use osmoda_client::{CallError, Client};
use osmoda_types::health::{Check, Consent, Health, Status};
use osmoda_types::{Actor, Daemon, catalogue};
use serde_json::{Map, Value, json};

use crate::exit::{self, Exit, Outcome};
use crate::screen::{Screen, plain, plain_lines};
use crate::{units, who};

/// One daemon and what became of asking it.
struct Asked {
    daemon: Daemon,
    answer: Result<Health, CallError>,
}

pub(crate) async fn status(client: &Client, screen: &mut Screen) -> Outcome {
    let mut all = Vec::new();
    for daemon in Daemon::ALL.iter().copied().filter(|daemon| daemon.exists()) {
        all.push(Asked { daemon, answer: ask(client, daemon).await });
    }
    let you = who::actor(&client.run_dir().join(Daemon::Agentd.socket()));
    if screen.is_json() {
        let daemons: Vec<Value> = all.iter().map(Asked::json).collect();
        screen.json(&json!({"run_dir": client.run_dir(), "you": you.to_string(), "daemons": daemons}))?;
    } else {
        page(client, &you, &all, screen)?;
    }
    Ok(all.iter().map(Asked::exit).max().unwrap_or(Exit::Ok))
}

async fn ask(client: &Client, daemon: Daemon) -> Result<Health, CallError> {
    let call = catalogue::calls_of(daemon).find(|call| call.path == "/health");
    let call = call.expect("every daemon of the catalogue has /health");
    let answer = client.call(call, &Map::new()).await?;
    serde_json::from_value(answer).map_err(|error| CallError::Garbage { daemon, what: error.to_string() })
}

impl Asked {
    fn exit(&self) -> Exit {
        match &self.answer {
            Ok(health) if health.status == Status::Ok => Exit::Ok,
            Ok(_) => Exit::Failed,
            Err(error) => exit::exit_of(error),
        }
    }

    fn state(&self) -> &'static str {
        match &self.answer {
            Ok(health) => match health.status {
                Status::Ok => "ok",
                Status::Starting => "starting",
                Status::Degraded => "degraded",
            },
            Err(error) => match (error, exit::exit_of(error)) {
                (CallError::Untrusted { .. }, _) => "untrusted",
                (_, Exit::Absent) => "absent",
                (_, Exit::Denied) => "denied",
                _ => "broken",
            },
        }
    }

    fn json(&self) -> Value {
        let mut object = json!({"daemon": self.daemon.name(), "state": self.state()});
        match &self.answer {
            Ok(health) => object["health"] = json!(health),
            Err(error) => {
                object["error"] = error.to_string().into();
                object["remedy"] = error.remedy().into();
            }
        }
        object
    }

    fn row(&self) -> Vec<Cell> {
        let state = Cell::new(self.state());
        let state = match &self.answer {
            Ok(health) if health.status == Status::Ok => state.fg(Color::Green),
            Ok(health) if health.status == Status::Starting => state.fg(Color::Yellow),
            _ => state.fg(Color::Red),
        };
        let health = self.answer.as_ref().ok();
        let version = health.map_or("-".into(), |health| plain(&health.version));
        let up = health.map_or("-".into(), |health| units::duration(health.uptime_secs));
        vec![Cell::new(self.daemon.binary()), state, Cell::new(version), Cell::new(up)]
    }
}

fn page(client: &Client, you: &Actor, all: &[Asked], screen: &mut Screen) -> std::io::Result<()> {
    let rows = all.iter().map(Asked::row).collect();
    screen.table(&["DAEMON", "STATE", "VERSION", "UP"], rows)?;
    for Asked { daemon, answer } in all {
        match answer {
            Ok(health) => complaints(*daemon, health, screen)?,
            Err(error) => screen.line(format_args!("\n{}", plain_lines(&exit::in_words(error))))?,
        }
    }
    screen.line(format_args!("\nsockets  {}", client.run_dir().display()))?;
    screen.line(format_args!("you      {}", described(you)))?;
    if let Some(health) = all.iter().find_map(|asked| asked.answer.as_ref().ok()) {
        screen.line(format_args!("policy   {}", plain(&health.policy.preset)))?;
        screen.line(format_args!("consent  {}", consent(health.consent)))?;
    }
    Ok(())
}

fn complaints(daemon: Daemon, health: &Health, screen: &mut Screen) -> std::io::Result<()> {
    for check in health.checks.iter().filter(|check| check.status != Status::Ok) {
        screen.line(format_args!("\n{}", complaint(daemon, check)))?;
    }
    if health.outbox_pending > 0 {
        screen.line(format_args!(
            "\n{}: {} events wait for agentd",
            daemon.binary(),
            health.outbox_pending
        ))?;
    }
    Ok(())
}

/// A check that is not well, and what to do about it.
pub(crate) fn complaint(daemon: Daemon, check: &Check) -> String {
    let what = check.code.map_or("not ok", |code| code.title());
    let mut text = format!("{}: {}: {what}, since {}", daemon.binary(), plain(&check.name), check.since);
    if let Some(remedy) = &check.remedy {
        text = format!("{text}\n  {}", plain(remedy));
    }
    text
}

fn described(you: &Actor) -> String {
    let what = match you {
        Actor::Operator(_) => "you answer for this machine",
        Actor::Agent(_) => "the agent",
        Actor::Daemon(_) => "a daemon of osModa",
        Actor::Other(_) => "a stranger: only /health; root or the group osmoda-operator may do more",
    };
    format!("{you} ({what})")
}

fn consent(consent: Consent) -> &'static str {
    match consent {
        Consent::Enforced => "enforced: the agent cannot forge an approval",
        Consent::LocalOnly => "local-only: an approval holds among honest local processes",
        Consent::None => "none: nothing asks for approval yet",
    }
}
