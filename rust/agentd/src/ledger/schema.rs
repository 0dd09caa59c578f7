//! The steps of `ledger.db`.

use osmoda_store::Schema;

/// Forward state: steps only add, for ever.
pub(super) const SCHEMA: Schema =
    Schema { steps: &[include_str!("../../migrations/ledger/0001_events.sql")] };

#[cfg(test)]
mod tests {
    use super::SCHEMA;

    #[test]
    fn the_steps_sum_up_to_the_committed_schema() {
        assert_eq!(SCHEMA.sum().unwrap(), include_str!("../../migrations/ledger/schema.sql"));
    }

    #[test]
    fn events_is_the_published_table() {
        let published = "CREATE TABLE events ( id INTEGER PRIMARY KEY AUTOINCREMENT, ts TEXT NOT NULL DEFAULT \
                         (strftime('%Y-%m-%dT%H:%M:%fZ','now')), type TEXT NOT NULL, actor TEXT NOT NULL, \
                         payload TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL )";
        assert!(SCHEMA.sum().unwrap().contains(published));
    }
}
