//! The same answers as two implementations by others: `ct-merkle` (RFC 6962) and `signed_note` (C2SP notes).

use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use osmoda_tlog::Hash;
use osmoda_tlog::merkle::{Frontier, leaf_hash, node_hash};
use osmoda_tlog::note::{Note, Signer, VerifierKey};
use osmoda_tlog::proof::{consistency_proof, inclusion_proof};
use proptest::prelude::*;
use sha2::Sha256;
use signed_note::{StandardVerifier, VerifierList};

fn oracle_tree(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|number| tree.push(number.to_be_bytes().to_vec()));
    tree
}

fn nodes(level: u32, index: u64) -> Result<Hash, Infallible> {
    if level == 0 {
        return Ok(leaf_hash(&index.to_be_bytes()));
    }
    Ok(node_hash(&nodes(level - 1, 2 * index)?, &nodes(level - 1, 2 * index + 1)?))
}

#[test]
fn roots_and_proofs_are_those_of_ct_merkle() {
    let mut frontier = Frontier::new();
    for size in 1..=70_u64 {
        frontier.append(leaf_hash(&(size - 1).to_be_bytes()));
        let oracle = oracle_tree(size);
        assert_eq!(frontier.root()[..], oracle.root().as_bytes()[..]);
        let root = RootHash::<Sha256>::new(frontier.root().into(), size);
        for index in 0..size {
            let proof = inclusion_proof(index, size, nodes).unwrap().unwrap();
            let theirs = oracle.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(proof.concat(), theirs.as_bytes());
            let ours = InclusionProof::<Sha256>::try_from_bytes(proof.concat()).unwrap();
            root.verify_inclusion(&index.to_be_bytes().to_vec(), index, &ours).unwrap();
        }
        for old in 1..size {
            let proof = consistency_proof(old, size, nodes).unwrap().unwrap();
            let theirs = oracle.prove_consistency(usize::try_from(size - old).unwrap());
            assert_eq!(proof.concat(), theirs.as_bytes());
            let ours = ConsistencyProof::<Sha256>::try_from_bytes(proof.concat()).unwrap();
            root.verify_consistency(&oracle_tree(old).root(), &ours).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn a_note_signed_here_verifies_there(
        name in "[a-z./]{1,20}",
        seed: [u8; 32],
        text in "([a-zé|=]{0,10}\n){1,5}",
    ) {
        let signer = Signer::from_seed(&name, &seed).unwrap();
        let mut note = Note::new(text.clone()).unwrap();
        note.add(signer.sign(&text)).unwrap();

        let theirs = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        prop_assert_eq!(theirs.text(), text.as_bytes());
        let key = StandardVerifier::new(&signer.verifier().to_string()).unwrap();
        let (known, unknown) = theirs.verify(&VerifierList::new(vec![Box::new(key)])).unwrap();
        prop_assert_eq!((known.len(), unknown.len()), (1, 0));
    }

    #[test]
    fn a_note_made_there_verifies_here(name in "[a-z./]{1,20}", seed: [u8; 32], text in "([a-zé|=]{0,10}\n){1,5}") {
        let ours = Signer::from_seed(&name, &seed).unwrap();
        let id = ours.verifier().to_string().split('+').nth(1).unwrap().to_owned();
        let secret = data_encoding::BASE64.encode(&[&[1], &seed[..]].concat());
        let theirs = signed_note::StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id}+{secret}")).unwrap();
        let mut note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&theirs]).unwrap();

        let note: Note = String::from_utf8(note.to_bytes()).unwrap().parse().unwrap();
        let key: VerifierKey = ours.verifier().to_string().parse().unwrap();
        prop_assert!(key.verify(&note).is_ok());
    }

    #[test]
    fn what_is_taken_here_is_taken_there(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)) {
        let signer = Signer::from_seed("log.example", &[1; 32]).unwrap();
        let mut note = Note::new("one\n\ntwo\n".to_owned()).unwrap();
        note.add(signer.sign(note.text())).unwrap();
        let mut bytes = note.to_string().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(text) = std::str::from_utf8(&bytes) && let Ok(note) = text.parse::<Note>() {
            prop_assert_eq!(note.to_string(), text);
            let theirs = signed_note::Note::from_bytes(&bytes).unwrap();
            prop_assert_eq!(theirs.text(), note.text().as_bytes());
        }
    }
}
