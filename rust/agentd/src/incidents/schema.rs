//! The steps of `incidents.db`.

use osmoda_store::Schema;

/// Forward state: steps only add.
pub(super) const SCHEMA: Schema =
    Schema { steps: &[include_str!("../../migrations/incidents/0001_incidents.sql")] };

#[cfg(test)]
mod tests {
    use super::SCHEMA;

    #[test]
    fn the_steps_sum_up_to_the_committed_schema() {
        assert_eq!(SCHEMA.sum().unwrap(), include_str!("../../migrations/incidents/schema.sql"));
    }
}
