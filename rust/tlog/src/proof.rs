//! Inclusion and consistency proofs: made as RFC 6962 section 2.1 says, verified as RFC 9162 section 2.1 says.

use crate::Hash;
use crate::merkle::{empty_root, node_hash};

/// The path from leaf `index` to the root of the tree of `size` leaves; `None` when there is no such leaf.
///
/// `nodes(level, index)` returns the root of a complete subtree of 2^level leaves, the `index`-th of its level;
/// it is asked only for subtrees that lie wholly below `size`, O(log² size) times at most. Its error ends the proof.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut nodes: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if index >= size {
        return Ok(None);
    }
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_root(middle, end, &mut nodes)?);
            end = middle;
        } else {
            path.push(range_root(start, middle, &mut nodes)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves; `None` when `old > new`.
/// Empty for `old == 0` and `old == new`. `nodes` as in [`inclusion_proof`].
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut nodes: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if old > new {
        return Ok(None);
    }
    let mut path = Vec::new();
    if old == 0 {
        return Ok(Some(path));
    }
    let (mut start, mut end) = (0, new);
    while end > old {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range_root(middle, end, &mut nodes)?);
            end = middle;
        } else {
            path.push(range_root(start, middle, &mut nodes)?);
            start = middle;
        }
    }
    // The verifier holds the old root; it needs this one only when it is not that root.
    if start > 0 {
        path.push(range_root(start, end, &mut nodes)?);
    }
    path.reverse();
    Ok(Some(path))
}

/// Whether `proof` leads from `leaf` (a leaf hash) at `index` to the `root` of a tree of `size` leaves.
#[must_use]
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, root: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(step, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree (`new`, `new_root`) begins with the tree (`old`, `old_root`).
#[must_use]
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else { return false };
        (first, rest)
    };
    if rest.is_empty() {
        return false;
    }
    let aligned = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> aligned, (new - 1) >> aligned);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(step, &old_hash);
            new_hash = node_hash(step, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

/// The largest power of two below `leaves`, which is at least 2.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root over `start..end`, a range that RFC 6962's splitting reaches: `start` is a multiple of the power
/// of two that holds the range.
fn range_root<E>(
    start: u64,
    end: u64,
    nodes: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let leaves = end - start;
    if leaves.is_power_of_two() {
        let level = leaves.ilog2();
        return nodes(level, start >> level);
    }
    let middle = start + split(leaves);
    let left = range_root(start, middle, nodes)?;
    let right = range_root(middle, end, nodes)?;
    Ok(node_hash(&left, &right))
}
