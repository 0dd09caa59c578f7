//! The Merkle tree of RFC 6962 section 2.1 over the rows' hashes, kept as an append-only frontier.

use sha2::{Digest, Sha256};

use crate::Hash;

/// Levels between two stored rows of subtree roots: a tile of 2^8 nodes, as in C2SP tlog-tiles.
pub const TILE_HEIGHT: u32 = 8;

/// `SHA-256(0x00 || data)`. The ledger's leaves are the rows' hashes as 64 hex characters.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The root of a complete subtree: the leaves `index << level .. (index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// 2^level leaves lie below.
    pub level: u32,
    /// Counts the subtrees of this level from the left.
    pub index: u64,
    /// The root.
    pub hash: Hash,
}

/// The right edge of a growing tree: the roots of its largest complete subtrees, at most 64 of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One per set bit of `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of a tree of `size` leaves from its peaks, largest subtree first; `None` when their number
    /// is not the number of set bits of `size`. The peaks are believed until a checkpoint confirms the root.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// The frontier of a stored tree of `size` leaves; `nodes` as in [`crate::proof::inclusion_proof`].
    pub fn load<E>(size: u64, mut nodes: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Self, E> {
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        let peaks = levels.map(|level| nodes(level, (size >> level) - 1)).collect::<Result<_, E>>()?;
        Ok(Self { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees that make up the tree, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf hash. Answers the subtrees this leaf completed at the levels 8, 16, 24, …, lowest first:
    /// what a store keeps so that any node costs at most 2^8 reads. Empty, and without allocation, 255 times
    /// of 256.
    pub fn append(&mut self, leaf: Hash) -> Vec<Subtree> {
        let mut completed = Vec::new();
        let mut hash = leaf;
        for level in 1..=self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak per set bit of size");
            hash = node_hash(&left, &hash);
            if level % TILE_HEIGHT == 0 {
                completed.push(Subtree { level, index: self.size >> level, hash });
            }
        }
        self.peaks.push(hash);
        self.size += 1;
        completed
    }

    /// The root of the tree as it stands.
    pub fn root(&self) -> Hash {
        let Some((last, rest)) = self.peaks.split_last() else { return empty_root() };
        rest.iter().rev().fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::to_hex;

    /// The leaves and roots of the certificate-transparency reference implementation (transparency-dev/merkle,
    /// testonly/constants.go).
    const LEAVES: [&[u8]; 8] = [
        b"",
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_the_published_vectors() {
        let mut tree = Frontier::new();
        assert_eq!(to_hex(&tree.root()), ROOTS[0]);
        for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
            tree.append(leaf_hash(leaf));
            assert_eq!(to_hex(&tree.root()), *root);
        }
    }

    #[test]
    fn completed_tiles_are_reported_once_and_rebuild_the_frontier() {
        let mut tree = Frontier::new();
        let mut levels: Vec<Vec<Hash>> = vec![Vec::new(); 18];
        let mut tiles = Vec::new();
        for number in 0..70_000_u64 {
            let leaf = leaf_hash(&number.to_be_bytes());
            tiles.extend(tree.append(leaf));
            levels[0].push(leaf);
            for level in 1..levels.len() {
                if (number + 1) % (1 << level) == 0 {
                    let pair = &levels[level - 1][levels[level - 1].len() - 2..];
                    let node = node_hash(&pair[0], &pair[1]);
                    levels[level].push(node);
                }
            }
        }
        assert_eq!(tiles.len(), levels[8].len() + levels[16].len());
        for tile in tiles {
            assert_eq!(tile.hash, levels[tile.level as usize][usize::try_from(tile.index).unwrap()]);
        }
        let nodes = |level: u32, index: u64| {
            Ok::<_, Infallible>(levels[level as usize][usize::try_from(index).unwrap()])
        };
        assert_eq!(Frontier::load(tree.size(), nodes).unwrap(), tree);
        assert_eq!(Frontier::from_peaks(tree.size(), tree.peaks().to_vec()), Some(tree.clone()));
        assert_eq!(Frontier::from_peaks(tree.size() - 1, tree.peaks().to_vec()), None);
    }
}
