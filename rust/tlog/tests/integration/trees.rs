//! Every tree of up to 70 leaves: every proof is accepted, every other proof is not.

use std::convert::Infallible;

use osmoda_tlog::Hash;
use osmoda_tlog::merkle::{Frontier, leaf_hash, node_hash};
use osmoda_tlog::proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};

const LARGEST: u64 = 70;

fn leaf(number: u64) -> Hash {
    leaf_hash(&number.to_be_bytes())
}

fn root(size: u64) -> Hash {
    let mut tree = Frontier::new();
    (0..size).for_each(|number| drop(tree.append(leaf(number))));
    tree.root()
}

/// Complete subtrees computed from the leaves; refuses to look beyond `size`.
fn nodes(size: u64) -> impl FnMut(u32, u64) -> Result<Hash, Infallible> {
    fn node(level: u32, index: u64) -> Hash {
        if level == 0 {
            return leaf(index);
        }
        node_hash(&node(level - 1, 2 * index), &node(level - 1, 2 * index + 1))
    }
    move |level, index| {
        assert!((index + 1) << level <= size, "asked for a subtree that is not complete");
        Ok(node(level, index))
    }
}

/// The proof with one hash changed, left out or added, in each way.
fn spoilt(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[proof, &[[0; 32]]].concat(), [&[[0; 32]], proof].concat()];
    for at in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[at][at % 32] ^= 1;
        all.push(changed);
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        all.push(shorter);
    }
    all
}

#[test]
fn every_inclusion_proof_verifies_for_its_leaf_and_place_only() {
    for size in 1..=LARGEST {
        let root = root(size);
        for index in 0..size {
            let proof = inclusion_proof(index, size, nodes(size)).unwrap().unwrap();
            assert!(verify_inclusion(index, size, &leaf(index), &root, &proof));
            assert!(!verify_inclusion(index, size, &leaf(index + 1), &root, &proof));
            assert!(!verify_inclusion(index, size, &leaf(index), &leaf(0), &proof) || size == 1);
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(!verify_inclusion(other, size, &leaf(index), &root, &proof));
            }
            for proof in spoilt(&proof) {
                assert!(!verify_inclusion(index, size, &leaf(index), &root, &proof));
            }
        }
        assert_eq!(inclusion_proof(size, size, nodes(size)).unwrap(), None);
    }
    assert!(!verify_inclusion(0, 0, &leaf(0), &root(0), &[]));
}

#[test]
fn every_consistency_proof_verifies_for_its_pair_of_trees_only() {
    let roots: Vec<Hash> = (0..=LARGEST).map(root).collect();
    let root = |size: u64| &roots[usize::try_from(size).unwrap()];
    for new in 0..=LARGEST {
        for old in 0..=new {
            let proof = consistency_proof(old, new, nodes(new)).unwrap().unwrap();
            assert!(verify_consistency(old, root(old), new, root(new), &proof));
            for other in (0..=LARGEST).filter(|other| *other != old) {
                assert!(!verify_consistency(old, root(other), new, root(new), &proof));
            }
            for other in (0..=LARGEST).filter(|other| *other != new && old != 0) {
                assert!(!verify_consistency(old, root(old), new, root(other), &proof));
            }
            for proof in spoilt(&proof) {
                assert!(!verify_consistency(old, root(old), new, root(new), &proof), "{old} {new}");
            }
        }
        assert_eq!(consistency_proof(new + 1, new, nodes(new)).unwrap(), None);
        assert!(!verify_consistency(new + 1, root(0), new, root(new), &[]));
    }
}

#[test]
fn an_error_of_the_store_ends_the_proof() {
    let broken = |_: u32, _: u64| Err::<Hash, _>("disk");
    assert_eq!(inclusion_proof(0, 9, broken), Err("disk"));
    assert_eq!(consistency_proof(3, 9, broken), Err("disk"));
    assert_eq!(Frontier::load(9, broken), Err("disk"));
}
