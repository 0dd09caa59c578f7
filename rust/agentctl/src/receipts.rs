//! `agentctl receipts`: what was done, a line for each call with an effect.

use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::Limit;
use osmoda_types::api::agentd::receipt::{Receipt, ReceiptGet, ReceiptGetIn, ReceiptList, ReceiptListIn};

use crate::args::Receipts;
use crate::events::{show, text};
use crate::exit::{Exit, Outcome};
use crate::incidents::word;
use crate::screen::{Screen, plain};

/// Most rows of one page.
const PAGE: u64 = 1000;

pub(crate) async fn receipts(client: &Client, args: &Receipts, screen: &mut Screen) -> Outcome {
    if let Some(id) = args.id {
        let found = client.send::<ReceiptGet>(&ReceiptGetIn { id }).await?;
        if screen.is_json() {
            screen.json(&found)?;
        } else {
            screen.table(HEADER, vec![row(&found.receipt)])?;
            found.intent.iter().chain([&found.outcome]).try_for_each(|event| show(event, screen))?;
        }
        return Ok(Exit::Ok);
    }
    let mut left = args.limit;
    let mut query = ReceiptListIn {
        kind: args.kind.clone().map(|kind| text(kind, "--type")).transpose()?,
        actor: args.actor.clone().map(|actor| text(actor, "--actor")).transpose()?,
        since: args.since,
        ..ReceiptListIn::default()
    };
    let mut rows = Vec::new();
    while left > 0 {
        query.limit = Limit::new(left.min(PAGE));
        let page = client.send::<ReceiptList>(&query).await?;
        left = left.saturating_sub(page.receipts.len() as u64);
        for receipt in &page.receipts {
            if screen.is_json() { screen.json_line(receipt)? } else { rows.push(row(receipt)) }
        }
        match page.next {
            Some(next) => query.after = Some(text(next, "next")?),
            None => break,
        }
    }
    if !screen.is_json() {
        screen.table(HEADER, rows)?;
    }
    Ok(Exit::Ok)
}

const HEADER: &[&str] = &["RECEIPT", "ENDED", "ACTOR", "RESULT", "WHAT"];

fn row(receipt: &Receipt) -> Vec<Cell> {
    let result = match &receipt.code {
        Some(code) => format!("{} {}", word(&receipt.result), plain(code)),
        None => word(&receipt.result),
    };
    let fields = [
        receipt.id.to_string(),
        receipt.ts.to_string(),
        plain(&receipt.actor),
        result,
        plain(&receipt.summary),
    ];
    fields.into_iter().map(Cell::new).collect()
}
