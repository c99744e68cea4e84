// SPDX-License-Identifier: GPL-2.0-only

//! The trailer that seals an image: read, and believed only as far as it is right.

#![no_main]

use initoverlayfs_core::{
    hash,
    initrd::{
        digest::{Algorithm, Digest},
        merkle::{Shape, BLOCK},
        seal::{self, Seal, DESCRIPTOR_AT, HEADER_BLOCK},
    },
    trailer,
};
use initoverlayfs_fuzz::{
    promises::{check_seal, Marks},
    reference,
};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary, Result, Unstructured},
    fuzz_target,
};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_sha512: bool,
    /// The size of the data.
    #[arbitrary(with = data_len)]
    len: usize,
    salt: &'a [u8],
    #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(0..=5000))]
    signature_len: usize,
    /// Five bytes each: where in the header block, and what.
    overwrite_header: &'a [u8],
    /// Three bytes each: where in tree and data, as a fraction, and what.
    overwrite: &'a [u8],
}

/// Returns those that matter are around blocks, and around what a block of the tree can hold.
fn data_len(u: &mut Unstructured<'_>) -> Result<usize> {
    let len = u.choose(&[
        1,
        4095,
        4096,
        4097,
        8192,
        64 * BLOCK,
        65 * BLOCK,
        128 * BLOCK + 1,
    ])?;
    Ok(*len)
}

fuzz_target!(|input: Input<'_>| {
    let algorithm = match input.is_sha512 {
        true => Algorithm::Sha512,
        false => Algorithm::Sha256,
    };
    let salt = &input.salt[..input.salt.len().min(32)];
    let data: Vec<u8> = (0..input.len).map(|at| (at / 512) as u8).collect();
    let (tree, root_hash) = reference::merkle_tree(&data, algorithm, salt);
    let root_hash = Digest::new(algorithm, &root_hash).expect("a digest");
    let shape = Shape::new(data.len(), root_hash, salt).expect("a shape");
    assert_eq!(shape.tree_len(), tree.len());

    let signature = vec![0x30; input.signature_len];
    let len = HEADER_BLOCK + tree.len() + signature.len().next_multiple_of(BLOCK);
    let mut trailer = trailer::header(len, signature.len()).to_vec();
    trailer.extend(trailer::descriptor(&shape));
    trailer.resize(HEADER_BLOCK, 0);
    trailer.extend([&tree[..], &signature].concat());
    trailer.resize(len, 0);
    let honest = Seal::parse(&trailer, data.len()).expect("an honest trailer");
    assert_eq!(honest.signature, signature);
    check_blocks(&honest, &data, &data, &tree);

    // Somebody else's hand in the header ...
    let mut forged = trailer.clone();
    for change in input.overwrite_header.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        let end = DESCRIPTOR_AT + seal::DESCRIPTOR_LEN + 8;
        forged[at % end] = change[2];
    }
    check_seal(&forged, data.len());

    // ... or in tree and data.
    let mut changed = [&tree[..], &data].concat();
    for change in input.overwrite.chunks_exact(3) {
        let fraction = usize::from(u16::from_le_bytes([change[0], change[1]]));
        let at = (fraction * changed.len()) >> 16;
        changed[at] = change[2];
    }
    let (changed_tree, changed_data) = changed.split_at(tree.len());
    check_blocks(&honest, changed_data, &data, changed_tree);
});

/// A block is good if, and only if, it is what it was, and all that is above it in the tree.
fn check_blocks(honest: &Seal<'_>, data: &[u8], honest_data: &[u8], tree: &[u8]) {
    let seen = Marks::default();
    let shape = &honest.shape;
    let same = |now: &[u8], then: &[u8], block: usize| {
        let piece = |bytes: &[u8]| {
            bytes
                .iter()
                .skip(block * BLOCK)
                .take(BLOCK)
                .copied()
                .collect()
        };
        let (now, then): (Vec<u8>, Vec<u8>) = (piece(now), piece(then));
        now == then
    };
    for block in 0..shape.data_blocks() {
        let mut is_good = same(data, honest_data, block);
        let mut below = block;
        for (start, _) in shape.levels() {
            below /= shape.fanout();
            is_good &= same(tree, honest.tree, start + below);
        }
        let found = shape.check(data, tree, block, &seen, hash);
        assert_eq!(found.is_ok(), is_good, "{found:?}");
        // The second time, nothing is hashed that was good.
        if is_good {
            assert_eq!(shape.check(&[], &[], block, &seen, hash), Ok(()));
        }
    }
}
