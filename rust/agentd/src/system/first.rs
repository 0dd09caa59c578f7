//! The first rows of a long list in bounded memory.

use std::collections::BinaryHeap;

/// Keeps the smallest `limit` rows of those it is given, and counts the rest.
pub(super) struct First<T> {
    limit: usize,
    /// The greatest of the kept rows is on top.
    kept: BinaryHeap<T>,
    rest: u64,
}

impl<T: Ord> First<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: BinaryHeap::new(), rest: 0 }
    }

    pub(super) fn push(&mut self, row: T) {
        if self.kept.len() < self.limit {
            self.kept.push(row);
            return;
        }
        self.rest += 1;
        if let Some(mut greatest) = self.kept.peek_mut()
            && row < *greatest
        {
            *greatest = row;
        }
    }

    /// The rows in order, and how many there were beyond them.
    pub(super) fn into_rows(self) -> (Vec<T>, u64) {
        (self.kept.into_sorted_vec(), self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_rows_are_kept_in_order_and_the_rest_is_counted() {
        let mut first = First::new(3);
        for row in [5, 1, 4, 1, 9, 2] {
            first.push(row);
        }
        assert_eq!(first.into_rows(), (vec![1, 1, 2], 3));
        assert_eq!(First::<u8>::new(3).into_rows(), (vec![], 0));
    }
}
