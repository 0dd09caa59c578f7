//! `agentctl undo`: what was done is taken back.

use osmoda_client::Client;
use osmoda_types::api::agentd::undo::{Undo as Call, UndoIn};

use crate::args::Undo;
use crate::exit::{Exit, Outcome};
use crate::screen::Screen;

/// What cannot be undone first, then what was refused, then what was put back.
pub(crate) async fn undo(client: &Client, args: &Undo, screen: &mut Screen) -> Outcome {
    let input = UndoIn { undo: args.id, event: args.event, since: args.since, dry_run: args.dry_run };
    let answer = client.send::<Call>(&input).await?;
    if screen.is_json() {
        screen.json(&answer)?;
    } else {
        for lasting in &answer.impossible {
            screen.line(format_args!(
                "cannot be undone  {}  {} (event {})",
                lasting.at, lasting.call, lasting.event_id
            ))?;
        }
        for refused in &answer.refused {
            let why = refused.why.as_deref().unwrap_or_default();
            screen.line(format_args!("refused           {}  {}: {why}", refused.at, refused.what))?;
        }
        let done = if args.dry_run { "would be undone " } else { "undone          " };
        for undone in &answer.undone {
            screen.line(format_args!("{done}  {}  {}", undone.at, undone.what))?;
        }
        if answer.undone.is_empty() && answer.refused.is_empty() {
            screen.line("nothing to undo")?;
        }
    }
    Ok(if answer.refused.is_empty() { Exit::Ok } else { Exit::Failed })
}
