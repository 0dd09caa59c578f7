//! Finding memories by words, in a time that does not grow with their number.
//!
//! BM25 costs as much as a word is frequent, so it is computed for rare words only, over the newest [`CANDIDATES`]
//! entries that hold them; of other words it only counts whether an entry holds them, too. docs/memory.md says so.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, ToSql};

use super::words::{any, quoted};

/// What to look for.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub(super) words: Vec<String>,
    /// No place before this one.
    pub(super) from: Option<i64>,
    pub(super) category: Option<String>,
    pub(super) now_ms: i64,
    pub(super) most: usize,
}

/// The best places, the best first, and the words that a snippet of them should show.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    pub(super) best: Vec<(i64, f64)>,
    pub(super) shown: Vec<String>,
    /// Some entries with these words were not ranked.
    pub(super) capped: bool,
}

/// A word and in how many entries it is, counted up to a limit.
struct Word<'a> {
    text: &'a str,
    count: u64,
}

pub(super) fn rank(connection: &Connection, search: &Search) -> rusqlite::Result<Ranking> {
    let plan = Plan { connection, search };
    let mut ranking = Ranking::default();
    let mut known: Vec<Word<'_>> = Vec::new();
    for text in &search.words {
        known.push(Word { text, count: plan.count(text, RARE + 1)? });
    }
    known.retain(|word| word.count > 0);
    known.sort_by_key(|word| word.count);
    if known.is_empty() {
        return Ok(ranking);
    }
    if known[0].count > RARE {
        for word in known.iter_mut().take(RECOUNTED) {
            word.count = plan.count(word.text, COMMON + 1)?;
        }
        known.sort_by_key(|word| if word.count > RARE + 1 { word.count } else { u64::MAX });
    }
    let total: u64 =
        connection.query_row("SELECT value FROM meta WHERE key = 'entries'", [], |row| row.get(0))?;
    let mut scores: HashMap<i64, f64> = HashMap::new();
    let mut lowest = i64::MAX;
    let mut leaders: Vec<&str> = Vec::new();
    let mut budget = CANDIDATES;
    for word in known.iter_mut().take(LEADERS) {
        if budget == 0 || (word.count > RARE && !leaders.is_empty()) {
            break;
        }
        // The rarer ones were outside the timeframe or the category.
        if word.count == RARE + 1 {
            word.count = plan.count(word.text, COMMON + 1)?;
        }
        let newest = plan.newest(word.text, budget)?;
        let Some(&from) = newest.last() else { continue };
        ranking.capped |= newest.len() == budget && word.count as usize > budget;
        lowest = lowest.min(from);
        leaders.push(word.text);
        if word.count <= COMMON {
            for (place, score) in plan.bm25(word, from, total)? {
                *scores.entry(place).or_default() += score;
            }
        } else {
            newest.iter().for_each(|place| *scores.entry(*place).or_default() += idf(total, total / 2));
        }
        budget = budget.saturating_sub(newest.len());
    }
    if leaders.is_empty() {
        return Ok(ranking);
    }
    let others = known.iter().filter(|word| !leaders.contains(&word.text)).take(FOLLOWERS);
    let others: Vec<&str> = others.map(|word| word.text).collect();
    for word in &others {
        let holding = plan.holding(word, &leaders, lowest)?;
        // How frequent the word is among the candidates stands for how frequent it is.
        let share = holding.len() as f64 / scores.len().max(1) as f64;
        let bonus = (1.0 + (1.0 - share).max(0.0) / share.max(1e-3)).ln() + LEAST_BONUS;
        for place in holding {
            scores.entry(place).and_modify(|score| *score += bonus);
        }
    }
    ranking.best = plan.best(scores)?;
    ranking.shown = leaders.into_iter().chain(others).map(str::to_owned).collect();
    Ok(ranking)
}

struct Plan<'a> {
    connection: &'a Connection,
    search: &'a Search,
}

impl Plan<'_> {
    /// In how many entries a word is, at the most `limit`.
    fn count(&self, word: &str, limit: u64) -> rusqlite::Result<u64> {
        let sql = "SELECT count(*) FROM (SELECT rowid FROM words WHERE words MATCH ?1 LIMIT ?2)";
        self.connection.prepare_cached(sql)?.query_row((quoted(word), limit), |row| row.get(0))
    }

    /// The newest places that hold a word, within time and category.
    fn newest(&self, word: &str, limit: usize) -> rusqlite::Result<Vec<i64>> {
        let found = "SELECT words.rowid FROM words";
        let order = "ORDER BY words.rowid DESC";
        self.select(found, &quoted(word), self.from(i64::MIN), order, limit, |row| row.get(0))
    }

    /// The share of a word in the score of each place from `from` on.
    ///
    /// FTS5 scores a word that more than half of the entries hold with next to nothing, which leaves a small memory
    /// without an order; the weight of a word is therefore Lucene's, which is never zero.
    fn bm25(&self, word: &Word<'_>, from: i64, total: u64) -> rusqlite::Result<Vec<(i64, f64)>> {
        let found = format!("SELECT words.rowid, bm25(words, {WEIGHTS}) FROM words");
        let rows = self.select(&found, &quoted(word.text), self.from(from), "", ALL, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?))
        })?;
        let (all, with) = (total as f64, word.count as f64);
        let theirs = ((all - with + 0.5) / (with + 0.5)).ln();
        let theirs = if theirs <= 0.0 { 1e-6 } else { theirs };
        let weight = idf(total, word.count) / theirs;
        Ok(rows.into_iter().map(|(place, score)| (place, -score * weight)).collect())
    }

    /// Places from `from` on that hold one of the leaders and this word.
    fn holding(&self, word: &str, leaders: &[&str], from: i64) -> rusqlite::Result<Vec<i64>> {
        let both = format!("{} AND ({})", quoted(word), any(leaders.iter().copied()));
        let found = "SELECT words.rowid FROM words";
        self.select(found, &both, self.from(from), "", ALL, |row| row.get(0))
    }

    fn from(&self, place: i64) -> i64 {
        self.search.from.map_or(place, |from| from.max(place))
    }

    fn select<T>(
        &self,
        found: &str,
        expression: &str,
        from: i64,
        order: &str,
        limit: usize,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut values: Vec<&dyn ToSql> = vec![&expression, &from, &limit];
        let of_category = match &self.search.category {
            Some(category) => {
                values.push(category);
                "AND EXISTS (SELECT 1 FROM entries WHERE place = words.rowid AND category = ?4)"
            }
            None => "",
        };
        let sql =
            format!("{found} WHERE words MATCH ?1 AND words.rowid >= ?2 {of_category} {order} LIMIT ?3");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_map(values.as_slice(), read)?.collect()
    }

    /// Weighs age, kind and what was superseded; the best few.
    fn best(&self, scores: HashMap<i64, f64>) -> rusqlite::Result<Vec<(i64, f64)>> {
        let sql = "SELECT event, EXISTS (SELECT 1 FROM supersedes WHERE old_id = entries.id) FROM entries WHERE place = ?1";
        let mut kind = self.connection.prepare_cached(sql)?;
        let mut weighed: Vec<(i64, f64)> = scores
            .into_iter()
            .map(|(place, score)| {
                let age_days = (self.search.now_ms - place / 65_536 * 1000).max(0) as f64 / 86_400_000.0;
                (place, score * (0.7 + 0.3 * (-age_days / FADES_DAYS).exp2()))
            })
            .collect();
        // No factor below is over 1, so what is far behind now stays behind, and is not looked at.
        weighed.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        let mut best: Vec<(i64, f64)> = Vec::new();
        for (place, score) in weighed {
            if best.len() == self.search.most && best.last().is_some_and(|worst| worst.1 >= score) {
                break;
            }
            let found = kind.query_row([place], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((event, old)) = found else { continue };
            let score = score * if event { 0.8 } else { 1.0 } * if old { 0.3 } else { 1.0 };
            let at = best.partition_point(|better| better.1 >= score);
            best.insert(at, (place, score));
            best.truncate(self.search.most);
        }
        Ok(best)
    }
}

/// How much a word tells that is in `with` of `all` entries (BM25 as in Lucene: never negative).
fn idf(all: u64, with: u64) -> f64 {
    let (all, with) = (all.max(with) as f64, with as f64);
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

/// The part of an entry that fits the words best.
pub(super) fn snippet(
    connection: &Connection,
    shown: &[String],
    place: i64,
) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT snippet(words, -1, '', '', '…', 32) FROM words WHERE words MATCH ?1 AND rowid = ?2";
    let mut snippet = connection.prepare_cached(sql)?;
    snippet.query_row((any(shown.iter().map(String::as_str)), place), |row| row.get(0)).optional()
}

/// Entries that are ranked at the most.
pub(super) const CANDIDATES: usize = 1000;
/// More than one search can give: the candidates of all leaders.
const ALL: usize = CANDIDATES * LEADERS;
/// A word in no more entries than this is rare.
const RARE: u64 = 2000;
/// BM25 is not computed for a word in more entries than this.
const COMMON: u64 = 20_000;
/// Words that candidates are looked for by.
const LEADERS: usize = 8;
/// Words that only add to the score of candidates.
const FOLLOWERS: usize = 3;
/// Words counted beyond [`RARE`], where none is rare.
const RECOUNTED: usize = 6;
/// What holding one more word is worth, however frequent it is.
const LEAST_BONUS: f64 = 0.1;
/// The weights of summary, detail, tags and category.
const WEIGHTS: &str = "4.0, 1.0, 3.0, 2.0";
/// After so many days the part of the score that fades has halved.
const FADES_DAYS: f64 = 90.0;
