//! One memory: what was said, of which kind, and where it came from.

use osmoda_types::api::agentd::memory::Origin;
use osmoda_types::{MemoryId, Timestamp, json};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A memory as its file says it. Texts are in their normal form: see [`one_line`] and [`block`].
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name for ever.
    pub id: MemoryId,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// Something that happened, not something that is known.
    pub event: bool,
    /// Its kind.
    pub category: String,
    /// A finer kind, of an event.
    pub subcategory: Option<String>,
    /// Who did it, of an event.
    pub actor: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Nothing of untrusted origin was in the conversation that stored it.
    pub trusted: bool,
    /// Memories it replaces.
    pub supersedes: Vec<MemoryId>,
    /// How often it was stored.
    pub seen: u32,
    /// When it was stored last, if more than once.
    pub seen_at: Option<Timestamp>,
    /// Each different caller and source.
    pub origins: Vec<Origin>,
    /// Anything else an event came with.
    pub metadata: Option<Map<String, Value>>,
    /// Lines of the front matter that we do not know; they are kept.
    pub other: Vec<String>,
    /// One line.
    pub summary: String,
    /// Markdown.
    pub detail: String,
}

/// The most origins one memory names; the same text from yet another one is a memory of its own.
pub(super) const MAX_ORIGINS: usize = 16;

impl Entry {
    /// Equal for memories that say the same of the same kind: letters' case and white space do not count. What is
    /// trusted and what is not are never the same.
    pub fn sameness(&self) -> [u8; 16] {
        let metadata = self.metadata.clone().map(|fields| json::canonical(&Value::Object(fields)));
        let parts = [
            if self.event { "event" } else { "" },
            if self.trusted { "" } else { "untrusted" },
            &folded(&self.category),
            &folded(self.subcategory.as_deref().unwrap_or_default()),
            &folded(self.actor.as_deref().unwrap_or_default()),
            &folded(&self.summary),
            &folded(&self.detail),
            metadata.as_deref().unwrap_or_default(),
        ];
        let digest = Sha256::digest(parts.join("\0"));
        std::array::from_fn(|at| digest[at])
    }

    /// Equal for knowledge under the same summary; none for events, which contradict nothing.
    pub fn topic(&self) -> Option<i64> {
        let digest = Sha256::digest(folded(&self.summary));
        let first = std::array::from_fn(|at| digest[at]);
        (!self.event).then(|| i64::from_le_bytes(first))
    }

    /// Everything it can be forgotten by: sources, sessions, actors.
    pub fn names(&self) -> Vec<String> {
        let of = |origin: &Origin| [origin.actor.clone(), origin.session.clone(), origin.source.clone()];
        let mut names: Vec<String> = self.origins.iter().flat_map(of).flatten().collect();
        names.extend(self.actor.clone());
        names.sort();
        names.dedup();
        names
    }

    /// Adds a caller that stored the same; `false` where no more fit.
    pub(super) fn merge(&mut self, other: &Self, now: Timestamp) -> bool {
        let new: Vec<_> =
            other.origins.iter().filter(|origin| !self.origins.contains(origin)).cloned().collect();
        if self.origins.len() + new.len() > MAX_ORIGINS {
            return false;
        }
        self.origins.extend(new);
        for tag in &other.tags {
            if self.tags.len() < MAX_TAGS && !self.tags.contains(tag) {
                self.tags.push(tag.clone());
            }
        }
        for id in &other.supersedes {
            if !self.supersedes.contains(id) && *id != self.id {
                self.supersedes.push(*id);
            }
        }
        self.seen = self.seen.saturating_add(1);
        self.seen_at = Some(now);
        true
    }

    /// Takes `name` out of its origins; `false` when nothing else is left to answer for it.
    pub(super) fn leave(&mut self, name: &str) -> bool {
        let is = |text: &Option<String>| text.as_deref() == Some(name);
        if is(&self.actor) {
            return false;
        }
        self.origins.retain(|origin| !(is(&origin.source) || is(&origin.session) || is(&origin.actor)));
        !self.origins.is_empty()
    }
}

/// The most tags of one memory.
pub(super) const MAX_TAGS: usize = 64;

/// Words with one space between them, without control characters.
pub fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines ended by `\n`, without blank lines before and white space after.
pub fn block(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut rest = text.trim_end();
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.trim().is_empty() {
            break;
        }
        rest = after;
    }
    rest.to_owned()
}

/// At most `bytes` bytes of `text`, cut between characters.
pub(super) fn head(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn folded(text: &str) -> String {
    one_line(text).to_lowercase()
}
