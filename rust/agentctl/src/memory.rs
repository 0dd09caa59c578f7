//! `agentctl memory`: what this machine remembers, searched, stored, listed, forgotten.

use std::io::{self, Read};

use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::api::agentd::memory::{
    Listed, MemoryForget, MemoryForgetIn, MemoryList, MemoryListIn, MemoryRecall, MemoryRecallIn,
    MemoryReindex, MemoryStore,
};
use osmoda_types::{Empty, Limit, MemoryId, Text, TooLong, Within};
use serde_json::json;

use crate::args::{Memory, MemoryForgetArgs, MemoryListArgs, MemorySearch, MemoryStoreArgs};
use crate::exit::{Exit, Misuse, Outcome};
use crate::screen::{Screen, plain};

pub(crate) async fn memory(client: &Client, verb: &Memory, screen: &mut Screen) -> Outcome {
    match verb {
        Memory::Search(args) => search(client, args, screen).await,
        Memory::Store(args) => store(client, args, screen).await,
        Memory::List(args) => list(client, args, screen).await,
        Memory::Forget(args) => forget(client, args, screen).await,
        Memory::Reindex => reindex(client, screen).await,
    }
}

async fn search(client: &Client, args: &MemorySearch, screen: &mut Screen) -> Outcome {
    let query = MemoryRecallIn {
        query: text(args.words.join(" "), "the query")?,
        max_results: args.limit.map(|limit| within(limit, "--limit")).transpose()?,
        timeframe: args.since,
        category: args.category.clone().map(|category| text(category, "--category")).transpose()?,
    };
    let found = client.send::<MemoryRecall>(&query).await?;
    if screen.is_json() {
        screen.json(&found)?;
        return Ok(Exit::Ok);
    }
    let rows = found.memories.iter().map(|one| {
        let marks = marks(one.trusted, one.superseded_by, !one.conflicts_with.is_empty());
        let snippet = one.snippet.split_whitespace().collect::<Vec<_>>().join(" ");
        let summary = plain(&one.summary);
        [one.id.to_string(), day(&one.created_at), plain(&one.category), summary, plain(&snippet), marks]
            .map(Cell::new)
            .to_vec()
    });
    screen.table(&["ID", "DAY", "CATEGORY", "SUMMARY", "WHERE IT FITS", "NOTE"], rows.collect())?;
    if found.capped {
        screen.line("more memories hold these words than are ranked at once; the newest were ranked")?;
    }
    Ok(Exit::Ok)
}

async fn store(client: &Client, args: &MemoryStoreArgs, screen: &mut Screen) -> Outcome {
    let detail = match args.detail.as_deref() {
        Some("-") => {
            let mut text = String::new();
            io::stdin().lock().take(MAX_DETAIL).read_to_string(&mut text)?;
            Some(text)
        }
        given => given.map(str::to_owned),
    };
    let input = json!({"summary": args.summary, "detail": detail, "category": args.category, "tags": args.tag,
        "source": args.source, "supersedes": args.supersedes});
    let input = serde_json::from_value(input).map_err(|error| Misuse(error.to_string()))?;
    let stored = client.send::<MemoryStore>(&input).await?;
    if screen.is_json() {
        screen.json(&stored)?;
        return Ok(Exit::Ok);
    }
    let known = if stored.merged { "  (it was known already)" } else { "" };
    screen.line(format_args!("{}{known}", stored.id))?;
    for id in &stored.conflicts_with {
        screen.line(format_args!("{id} says something else under the same summary"))?;
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, args: &MemoryListArgs, screen: &mut Screen) -> Outcome {
    let mut query = MemoryListIn {
        id: args.id,
        category: args.category.clone().map(|category| text(category, "--category")).transpose()?,
        source: args.source.clone().map(|source| text(source, "--source")).transpose()?,
        since: args.since,
        ..MemoryListIn::default()
    };
    let (mut left, mut rows) = (args.limit.unwrap_or(100), Vec::new());
    while left > 0 {
        query.limit = Limit::new(left.min(1000));
        let page = client.send::<MemoryList>(&query).await?;
        left = left.saturating_sub(page.memories.len() as u64);
        for one in &page.memories {
            if screen.is_json() {
                screen.json_line(one)?;
            } else if args.id.is_some() {
                whole(one, screen)?;
            } else {
                rows.push(row(one));
            }
        }
        match page.next {
            Some(next) => query.after = Some(text(next, "next")?),
            None => break,
        }
    }
    if !screen.is_json() && args.id.is_none() {
        screen.table(&["ID", "DAY", "CATEGORY", "SUMMARY", "TAGS", "NOTE"], rows)?;
    }
    Ok(Exit::Ok)
}

fn row(one: &Listed) -> Vec<Cell> {
    let marks = marks(one.trusted, one.superseded_by, !one.conflicts_with.is_empty());
    let tags = plain(&one.tags.join(" "));
    [one.id.to_string(), day(&one.created_at), plain(&one.category), plain(&one.summary), tags, marks]
        .map(Cell::new)
        .to_vec()
}

fn whole(one: &Listed, screen: &mut Screen) -> io::Result<()> {
    screen.line(plain(&one.summary))?;
    for line in one.detail.iter().flat_map(|detail| detail.lines()) {
        screen.line(format_args!("  {}", plain(line)))?;
    }
    screen.line(format_args!("category  {}", plain(&one.category)))?;
    screen.line(format_args!("tags      {}", plain(&one.tags.join(", "))))?;
    screen.line(format_args!("stored    {}", one.created_at))?;
    screen.line(format_args!("file      {}", plain(&one.path)))?;
    screen.line(format_args!("trusted   {}", if one.trusted { "yes" } else { "no" }))?;
    for origin in &one.origins {
        let parts = [&origin.actor, &origin.session, &origin.tool, &origin.source];
        let parts: Vec<String> = parts.into_iter().flatten().map(|part| plain(part)).collect();
        screen.line(format_args!("from      {}", parts.join(", ")))?;
    }
    Ok(())
}

/// What somebody should know before trusting it.
fn marks(trusted: bool, superseded_by: Option<MemoryId>, conflicts: bool) -> String {
    let marks =
        [(!trusted, "untrusted"), (superseded_by.is_some(), "superseded"), (conflicts, "contradicted")];
    marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect::<Vec<_>>().join(" ")
}

async fn forget(client: &Client, args: &MemoryForgetArgs, screen: &mut Screen) -> Outcome {
    let source = args.source.clone().map(|source| text(source, "--source")).transpose()?;
    let input = MemoryForgetIn { id: args.id, source };
    let (mut forgotten, mut kept) = (0, 0);
    loop {
        let done = client.send::<MemoryForget>(&input).await?;
        forgotten += done.forgotten;
        kept += done.kept;
        if screen.is_json() {
            screen.json_line(&done)?;
        }
        // A round that came no further would go on for ever.
        if !done.more || done.forgotten + done.kept == 0 {
            break;
        }
    }
    if !screen.is_json() {
        screen.line(format_args!("{forgotten} forgotten"))?;
        if kept > 0 {
            screen.line(format_args!("{kept} stay: they came from somewhere else, too"))?;
        }
    }
    Ok(Exit::Ok)
}

async fn reindex(client: &Client, screen: &mut Screen) -> Outcome {
    let done = client.send::<MemoryReindex>(&Empty {}).await?;
    if screen.is_json() {
        screen.json(&done)?;
    } else {
        screen.line(format_args!("{} memories, {} files that are none", done.indexed, done.malformed))?;
    }
    Ok(Exit::Ok)
}

fn day(at: &osmoda_types::Timestamp) -> String {
    at.to_string()[..10].to_owned()
}

fn text<const MAX: usize>(text: String, of: &str) -> Result<Text<MAX>, Misuse> {
    Text::new(text).map_err(|error: TooLong| Misuse(format!("{of} is {error}")))
}

fn within<const MIN: u64, const MAX: u64>(value: u64, of: &str) -> Result<Within<MIN, MAX>, Misuse> {
    Within::new(value).ok_or_else(|| Misuse(format!("{of} is not from {MIN} to {MAX}")))
}

/// One byte more than agentd takes, so that it is agentd who says that it is too much.
const MAX_DETAIL: u64 = 65_537;

#[cfg(test)]
mod tests {
    use osmoda_types::Endpoint;
    use osmoda_types::api::agentd::memory::MemoryListOut;

    use super::*;

    #[test]
    fn a_note_says_what_is_wrong_with_a_memory() {
        let id = "mem_01kaq3v8e2m6zr0t5h9xw4c7yd".parse().unwrap();
        assert_eq!(marks(true, None, false), "");
        assert_eq!(marks(false, Some(id), true), "untrusted superseded contradicted");
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let page: MemoryListOut = serde_json::from_value((MemoryList::CALL.example)().1).unwrap();
        let cells: Vec<String> = row(&page.memories[0]).iter().map(Cell::content).collect();
        assert_eq!(cells[1..], ["2026-11-24", "user_pattern", "User prefers Rust", "preference", ""]);
    }
}
