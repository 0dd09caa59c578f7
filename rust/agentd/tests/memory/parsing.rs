//! The Markdown of people and of machines: whatever it is, it is read or refused, and what we write reads back.
//!
//! Bounded here; `cargo bolero test` runs the first under a coverage-guided engine.

use agentd::memory::entry::{Entry, block, one_line};
use agentd::memory::markdown::{Hint, parse, render};
use bolero::check;
use osmoda_types::api::agentd::memory::Origin;
use osmoda_types::{MemoryId, Timestamp};
use proptest::prelude::*;
use serde_json::json;

const HINT: Hint<'static> = Hint { path: "2026/11/note.md", modified: Timestamp::EPOCH };

const SEED: &str = "---\nid: mem_01kaq3v8e2m6zr0t5h9xw4c7yd\ncreated_at: 2026-11-24T08:30:00Z\nkind: event\n\
    category: \"a b\" \ntags: [x, \"y, z\", 'it''s']\ntrusted: false # a comment\nsupersedes:\n  - mem_01kaq3v8e2m6zr0t5h9xw4c7yd\n\
    seen: 3\norigins: [{\"actor\":\"agent:main\"}]\nmetadata: {\"a\":[1]}\naliases:\n  - other\n---\n\n# A title\n\nText\n";

#[test]
fn files_that_were_damaged() {
    check!().with_iterations(20_000).with_type::<Vec<(u16, u8, u8)>>().for_each(|noise| {
        let mut bytes = SEED.as_bytes().to_vec();
        for &(at, action, byte) in noise.iter().take(6) {
            let at = usize::from(at) % bytes.len().max(1);
            match action % 3 {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Ok(entry) = parse(text, HINT)
        {
            assert_eq!(parse(&render(&entry), HINT).as_ref(), Ok(&entry), "{text}");
        }
    });
}

#[test]
fn any_text() {
    check!().with_iterations(20_000).with_type::<Vec<u8>>().for_each(|bytes| {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(entry) = parse(text, HINT)
        {
            assert_eq!(parse(&render(&entry), HINT), Ok(entry));
        }
    });
}

fn entries() -> impl Strategy<Value = Entry> {
    let text = || "(\\PC|[\"'#:,\\[\\]{}\\\\ -]){0,30}".prop_map(|text| one_line(&text));
    let some = || text().prop_map(|text| (!text.is_empty()).then_some(text));
    let ids = || prop::collection::vec(any::<u128>().prop_map(MemoryId::from_bits), 0..3);
    let origin = (some(), some(), some(), some()).prop_map(|(actor, session, tool, source)| Origin {
        actor,
        session,
        tool,
        source,
    });
    let times =
        || (-1_000_000_000_000_i64..10_000_000_000_000).prop_map(|at| Timestamp::from_millis(at).unwrap());
    let first =
        (any::<u128>(), times(), any::<bool>(), text(), some(), some(), prop::collection::vec(text(), 0..4));
    let second =
        (any::<bool>(), ids(), 1..9_u32, prop::option::of(times()), prop::collection::vec(origin, 0..3));
    let third = (prop::option::of(text()), "\\PC{1,40}", "(\\PC|\\n|\\r\\n|-|#| ){0,200}");
    (first, second, third).prop_filter_map("a summary", |(a, b, c)| {
        let mut tags = a.6;
        tags.retain(|tag| !tag.is_empty());
        tags.sort();
        tags.dedup();
        let summary = one_line(&c.1);
        let category = if a.3.is_empty() { "general".to_owned() } else { a.3 };
        (!summary.is_empty()).then(|| Entry {
            id: MemoryId::from_bits(a.0),
            created_at: a.1,
            event: a.2,
            category,
            subcategory: a.4,
            actor: a.5,
            tags,
            trusted: b.0,
            supersedes: b.1,
            seen: b.2,
            seen_at: b.3,
            origins: b.4,
            metadata: c.0.map(|text| json!({"text": text, "list": [1, {}]}).as_object().unwrap().clone()),
            other: Vec::new(),
            summary,
            detail: block(&c.2),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_reads_back(entry in entries()) {
        let text = render(&entry);
        prop_assert_eq!(parse(&text, HINT), Ok(entry), "{}", text);
    }
}

#[test]
fn people_write_it_as_they_like() {
    let entry = parse(SEED, HINT).unwrap();
    assert_eq!((entry.category.as_str(), entry.trusted, entry.event, entry.seen), ("a b", false, true, 3));
    assert_eq!(entry.tags, ["x", "y, z", "it's"]);
    assert_eq!((entry.supersedes.len(), entry.other.join("|")), (1, "aliases:|  - other".to_owned()));
    assert_eq!((entry.summary.as_str(), entry.detail.as_str()), ("A title", "Text"));
    let plain = parse("\u{feff}The printer\r\n\r\n  is upstairs\r\n", HINT).unwrap();
    assert_eq!((plain.summary.as_str(), plain.detail.as_str()), ("The printer", "  is upstairs"));
    assert_eq!(plain.id, parse("Another text", HINT).unwrap().id, "the id follows from the path");
    let long = parse(&"long ".repeat(1000), HINT).unwrap();
    assert!(long.summary.len() <= 200 && long.detail.len() == 4999);
    for (bad, why) in [
        ("", "nothing is written in it"),
        ("---\nid: x\n---\na", "id is not mem_ and a ULID in lower case"),
        ("---\nid x\n---\na", "line 1 of the front matter has no colon"),
        ("---\ntags: [a\n---\na", "[a has no end: ]"),
        ("---\ntags: a\ntags: b\n---\na", "tags stands twice in the front matter"),
        ("---\ntags: a\n", "the front matter has no end: a line ---"),
        ("---\n---\n", "nothing is written in it"),
        ("---\ncategory: \"a\n---\nb", "\"a is not well quoted"),
        ("a\0b", "it holds a NUL"),
    ] {
        assert_eq!(parse(bad, HINT).unwrap_err().to_string(), why, "{bad}");
    }
}
