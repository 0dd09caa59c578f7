//! Bringing the index up to the files: what was added, edited or removed by hand, or lost in a crash.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};

use osmoda_store::Error;
use tokio_util::sync::CancellationToken;

use super::condition::Part;
use super::engine::Shared;
use super::files::{Found, Look, Tree};
use super::index::{Change, Job};
use super::rows;

impl Shared {
    /// Compares everything. Memory does not grow with the number of files.
    pub(super) async fn compare_all(&self, stop: &CancellationToken) -> Result<(), Error> {
        let _whole = self.whole.lock().await;
        self.compare_now(stop).await
    }

    /// As [`compare_all`](Self::compare_all), for who holds `whole`.
    pub(super) async fn compare_now(&self, stop: &CancellationToken) -> Result<(), Error> {
        self.condition.behind(false);
        let mut compared = self.compare_months(stop).await;
        // A file whose trouble was another one may have been looked at before that one was seen to be gone.
        if matches!(compared, Ok(changed) if changed > 0) && self.read(rows::has_twins).await? {
            compared = self.compare_months(stop).await;
        }
        let compared = match compared {
            Ok(changed) if changed >= MANY => self.merge(stop).await,
            compared => compared.map(drop),
        };
        if compared.is_err() {
            self.condition.behind(true);
        }
        self.condition.checked(compared.is_ok() && !stop.is_cancelled());
        compared
    }

    /// Gathers the words of many commits, step by step, so that others write in between.
    async fn merge(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut more = self.write(Job::Merge { first: true }).await?;
        while more && !stop.is_cancelled() {
            more = self.write(Job::Merge { first: false }).await?;
        }
        Ok(())
    }

    /// Answers how many files had changed.
    async fn compare_months(&self, stop: &CancellationToken) -> Result<usize, Error> {
        self.files(Tree::make).await?;
        self.writer().await?;
        let mut months: BTreeSet<String> = self.files(Tree::months).await?.into_iter().collect();
        self.condition.works(Part::Files);
        months.extend(self.read(rows::months).await?);
        let mut changed = 0;
        for month in months {
            if stop.is_cancelled() {
                break;
            }
            self.files({
                let month = month.clone();
                move |tree| {
                    tree.sweep(&month);
                    Ok(())
                }
            })
            .await?;
            changed += self.compare_month(&month, stop).await?;
        }
        Ok(changed)
    }

    /// Compares one month, names and known paths side by side, some thousands at a time.
    pub(super) async fn compare_month(&self, month: &str, stop: &CancellationToken) -> Result<usize, Error> {
        let mut changed = 0;
        let mut after: Option<String> = None;
        loop {
            let names = self.files({
                let (month, after) = (month.to_owned(), after.clone());
                move |tree| tree.names(&month, after.as_deref(), NAMES)
            });
            let mut names: VecDeque<String> = names.await?.into();
            let last = if names.len() == NAMES { names.back().cloned() } else { None };
            // '0' follows '/' and NUL precedes everything, so these bound exactly the paths from `after` to `last`.
            let end = last.as_ref().map_or_else(|| format!("{month}0"), |last| format!("{month}/{last}\0"));
            let mut from = format!("{month}/{}", after.as_deref().unwrap_or_default());
            loop {
                let (start, until) = (from.clone(), end.clone());
                let known =
                    self.read(move |connection| rows::looks(connection, &start, &until, ROWS)).await?;
                let more = known.len() == ROWS;
                let bound = if more { known.last().map(|(path, _)| path.clone()) } else { None };
                let within = names.iter().take_while(|name| {
                    bound.as_ref().is_none_or(|bound| format!("{month}/{name}") <= *bound)
                });
                let here: Vec<String> = within.map(|name| format!("{month}/{name}")).collect::<Vec<_>>();
                names.drain(..here.len());
                changed += self.compare_paths(here, known, stop).await?;
                match bound {
                    Some(bound) => from = bound,
                    None => break,
                }
            }
            match last {
                Some(last) if !stop.is_cancelled() => after = Some(last),
                _ => return Ok(changed),
            }
        }
    }

    /// Both lists are in order.
    async fn compare_paths(
        &self,
        here: Vec<String>,
        known: Vec<(String, Option<Look>)>,
        stop: &CancellationToken,
    ) -> Result<usize, Error> {
        let mut changed = 0;
        let (mut here, mut known) = (here.into_iter().peekable(), known.into_iter().peekable());
        loop {
            let mut pairs = Vec::new();
            while pairs.len() < FILES_AT_ONCE {
                let order = match (here.peek(), known.peek()) {
                    (None, None) => break,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some(here), Some((known, _))) => here.cmp(known),
                };
                let look = if order.is_ge() { known.next() } else { None };
                let path = if order.is_le() { here.next() } else { None };
                pairs.extend(match (path, look) {
                    (Some(path), look) => Some((path, look.and_then(|(_, look)| look))),
                    (None, Some((path, _))) => Some((path, None)),
                    (None, None) => None,
                });
            }
            if pairs.is_empty() || stop.is_cancelled() {
                return Ok(changed);
            }
            let mut pairs = VecDeque::from(pairs);
            while !pairs.is_empty() {
                let (rest, changes) = self.files(move |tree| read_some(tree, pairs)).await?;
                pairs = rest;
                changed += changes.len();
                self.submit(changes).await?;
            }
        }
    }

    /// Looks at one file, whatever the index says of it.
    pub(super) async fn compare_file(&self, path: &str) -> Result<(), Error> {
        let _pen = self.path_pen(path).await;
        let asked = path.to_owned();
        let known = self.read(move |connection| rows::look(connection, &asked)).await?;
        let path = path.to_owned();
        let change = self.files(move |tree| match (tree.look(&path)?, known) {
            (None, None) => Ok(None),
            (look, known) if look == known => Ok(None),
            _ => change(tree, path).map(Some),
        });
        match change.await? {
            Some(change) => self.submit(vec![change]).await,
            None => Ok(()),
        }
    }
}

/// Paths, and how the index knows each of them.
type Pairs = VecDeque<(String, Option<Look>)>;

/// Reads what is new of files until it is enough for one commit; what is left comes next.
fn read_some(tree: &Tree, mut pairs: Pairs) -> Result<(Pairs, Vec<Change>), Error> {
    let (mut changes, mut bytes) = (Vec::new(), 0);
    while bytes < BYTES_AT_ONCE
        && let Some((path, known)) = pairs.pop_front()
    {
        if let Some(change) = different(tree, path, known) {
            let change = change?;
            if let Change::Entry { entry, .. } = &change {
                bytes += entry.detail.len() + entry.summary.len();
            }
            changes.push(change);
        }
    }
    Ok((pairs, changes))
}

/// What is new about a file, if anything is.
fn different(tree: &Tree, path: String, known: Option<Look>) -> Option<Result<Change, Error>> {
    match tree.look(&path) {
        Ok(look) if look.is_some() && look == known => None,
        Ok(_) => Some(change(tree, path)),
        Err(error) => Some(Err(error)),
    }
}

/// What a path holds now.
pub(super) fn change(tree: &Tree, path: String) -> Result<Change, Error> {
    Ok(match tree.read(&path)? {
        Found::Entry(entry, look) => Change::Entry { path, entry, look },
        Found::Malformed(malformed, look) => Change::Malformed { path, reason: malformed.to_string(), look },
        Found::Nothing => Change::Gone { path },
    })
}

/// Names of files that are held in memory at once.
const NAMES: usize = 20_000;
/// Known paths that are held in memory at once.
const ROWS: usize = 5000;
/// Files that go into one commit, and how much of their text.
const FILES_AT_ONCE: usize = 1000;
const BYTES_AT_ONCE: usize = 2 << 20;
/// So many changes leave the words in many pieces.
const MANY: usize = 2000;
