//! `agentctl backup`: backups of osModa's state.

use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::Empty;
use osmoda_types::api::agentd::backup::{
    Backup, BackupCreate, BackupList, BackupListIn, BackupRestore, BackupRestoreIn, BackupVerify,
    BackupVerifyIn, RestoredLedger,
};

use crate::args;
use crate::events::text;
use crate::exit::{Exit, Outcome};
use crate::screen::{Screen, plain};

pub(crate) async fn backup(client: &Client, args: &args::Backup, screen: &mut Screen) -> Outcome {
    match args {
        args::Backup::Create => create(client, screen).await,
        args::Backup::List => list(client, screen).await,
        args::Backup::Verify(args) => verify(client, args, screen).await,
        args::Backup::Restore(args) => restore(client, args, screen).await,
    }
}

async fn create(client: &Client, screen: &mut Screen) -> Outcome {
    let backup = client.send::<BackupCreate>(&Empty {}).await?;
    if screen.is_json() {
        screen.json(&backup)?;
        return Ok(Exit::Ok);
    }
    screen.line(format!("{}  {} bytes", plain(&backup.path), backup.size_bytes))?;
    if backup.note.as_ref().is_some_and(|note| note.own_key) {
        screen.line(screen.bad("Only the key agentd/backup.key on this machine opens it: keep a copy elsewhere, or declare recipients."))?;
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, screen: &mut Screen) -> Outcome {
    let (mut query, mut rows) = (BackupListIn::default(), Vec::new());
    loop {
        let page = client.send::<BackupList>(&query).await?;
        for backup in &page.backups {
            if screen.is_json() { screen.json_line(backup)? } else { rows.push(row(backup)) }
        }
        match page.next {
            Some(next) => query.after = Some(text(next, "next")?),
            None => break,
        }
    }
    if !screen.is_json() {
        screen.table(&["BACKUP", "MADE", "BYTES", "EVENTS", "OPENED BY"], rows)?;
    }
    Ok(Exit::Ok)
}

fn row(backup: &Backup) -> Vec<Cell> {
    let (events, opened_by) = match &backup.note {
        Some(note) if note.own_key => (note.ledger_size.to_string(), "this machine".to_owned()),
        Some(note) => (note.ledger_size.to_string(), plain(&note.recipients.join(" "))),
        None => ("?".to_owned(), "?".to_owned()),
    };
    let (id, made) = (backup.id.to_string(), backup.created_at.to_string());
    [id, made, backup.size_bytes.to_string(), events, opened_by].into_iter().map(Cell::new).collect()
}

async fn verify(client: &Client, args: &args::OneBackup, screen: &mut Screen) -> Outcome {
    let verdict = client.send::<BackupVerify>(&BackupVerifyIn { id: args.id }).await?;
    if screen.is_json() {
        screen.json(&verdict)?;
    } else if verdict.ok {
        screen.line(plain(&verdict.finding))?;
        if !verdict.recorded {
            screen.line(screen.bad("The ledger here does not say that this machine made it."))?;
        }
    } else {
        screen.line(screen.bad(&plain(&verdict.finding)))?;
    }
    Ok(if verdict.ok { Exit::Ok } else { Exit::Failed })
}

async fn restore(client: &Client, args: &args::Restore, screen: &mut Screen) -> Outcome {
    let input = BackupRestoreIn { id: args.id, accept_unrecorded: args.accept_unrecorded };
    let restored = client.send::<BackupRestore>(&input).await?;
    if screen.is_json() {
        screen.json(&restored)?;
        return Ok(Exit::Ok);
    }
    screen.line(format!("{} files put back, {} incidents changed", restored.files, restored.incidents))?;
    screen.line(match restored.ledger {
        RestoredLedger::Kept => "the ledger goes on as it is",
        RestoredLedger::InstalledAtNextStart => {
            "the backup's ledger is installed when agentd starts next: restart it now"
        }
    })?;
    Ok(Exit::Ok)
}
