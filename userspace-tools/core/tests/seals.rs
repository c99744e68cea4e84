// SPDX-License-Identifier: GPL-2.0-only

//! The trailer that seals an image: where it is found, and what is believed of it.
//!
//! That tree and descriptor are those of fs-verity, the tests of the command show; `fuzz/` tries all
//! kinds of damage.

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;

use common::{archive, scan, Image};
use initoverlayfs_core::initrd::digest::{Algorithm, Digest};
use initoverlayfs_core::initrd::merkle::{Seen, Shape, BLOCK};
use initoverlayfs_core::initrd::seal::{Formatted, Seal, SealError, HEADER_BLOCK};
use initoverlayfs_core::initrd::{Damage, ScanError};
use initoverlayfs_core::{hash, trailer};
use proptest::prelude::*;

/// Marks, and a protocol of what was hashed.
#[derive(Default)]
struct Marks(RefCell<BTreeSet<usize>>);

impl Seen for Marks {
    fn has(&self, block: usize) -> bool {
        self.0.borrow().contains(&block)
    }

    fn mark(&self, block: usize) {
        assert!(self.0.borrow_mut().insert(block), "checked twice");
    }
}

/// Returns the trailer of an image of one block, which needs no tree.
fn of_block(image: &[u8], signature: &[u8]) -> Vec<u8> {
    let nothing = Digest::new(Algorithm::Sha256, &[0; 32]).expect("a digest");
    let mut shape = Shape::new(image.len(), nothing, &[]).expect("a shape");
    shape.root_hash = shape.hash_block(image, hash);
    let len = HEADER_BLOCK + shape.tree_len() + signature.len().next_multiple_of(BLOCK);
    let mut bytes = trailer::header(len, signature.len()).to_vec();
    bytes.extend(trailer::descriptor(&shape));
    bytes.resize(HEADER_BLOCK + shape.tree_len(), 0);
    bytes.extend(signature);
    bytes.resize(len, 0);
    bytes
}

fn small() -> Vec<u8> {
    Image {
        blocks: 1,
        ..Image::default()
    }
    .build()
}

#[test]
fn a_trailer_belongs_to_the_image_in_front_of_it() {
    let image = small();
    let trailer = of_block(&image, b"signature");
    let behind = archive("a", b"");
    let buffer = [&image[..], &trailer, &image, &behind].concat();
    let segments = scan(&buffer).expect("nothing is broken");
    let [sealed, bare, archive] = &segments[..] else {
        panic!("{segments:?}")
    };
    assert_eq!(sealed.range, 0..4096);
    assert_eq!(sealed.trailer, 4096..12288);
    assert_eq!(sealed.whole(), 0..12288);
    assert_eq!((bare.range.clone(), bare.trailer.len()), (12288..16384, 0));
    assert_eq!(bare.whole(), bare.range);
    assert_eq!(archive.range, 16384..buffer.len());
}

#[test]
fn a_trailer_stands_at_the_next_multiple_of_4096() {
    let image = Image {
        block_bits: 9,
        blocks: 5,
        ..Image::default()
    }
    .build();
    let trailer = of_block(&image, b"");
    let mut buffer = archive("a", b"");
    let start = buffer.len();
    buffer.extend(&image);
    buffer.resize(start + 4096, 0xa5);
    buffer.extend(&trailer);
    let segments = scan(&buffer).expect("nothing is broken");
    assert_eq!(segments[1].range, start..start + 2560);
    assert_eq!(segments[1].trailer, start + 4096..start + 8192);
    let seal = Seal::parse(&buffer[segments[1].trailer.clone()], 2560).expect("sound");
    let seen = Marks::default();
    assert_eq!(seal.shape.check(&image, seal.tree, 0, &seen, hash), Ok(()));
}

#[test]
fn a_trailer_that_is_cut_short_is_an_error() {
    let image = small();
    let trailer = of_block(&image, b"signature");
    let buffer = [&image[..], &trailer[..trailer.len() - 1]].concat();
    let cause = Damage::Seal(SealError::Truncated {
        need: 8192,
        have: 8191,
    });
    assert_eq!(scan(&buffer), Err(ScanError { offset: 0, cause }));
    let buffer = [&image[..], &trailer[..12]].concat();
    let cause = Damage::Seal(SealError::Truncated { need: 0, have: 12 });
    assert_eq!(scan(&buffer), Err(ScanError { offset: 0, cause }));
}

#[test]
fn one_block_needs_no_tree() {
    let image = small();
    let trailer = of_block(&image, b"signature");
    let seal = Seal::parse(&trailer, image.len()).expect("sound");
    assert_eq!((seal.tree, seal.signature), (&[][..], &b"signature"[..]));
    assert_eq!(seal.shape.root_hash, hash(Algorithm::Sha256, &[&image]));
    let seen = Marks::default();
    let mut changed = image.clone();
    changed[7] ^= 1;
    let mismatch = seal.shape.check(&changed, &[], 0, &seen, hash).unwrap_err();
    assert_eq!((mismatch.offset, mismatch.level), (0, None));
    assert_eq!(seal.shape.check(&image, &[], 0, &seen, hash), Ok(()));
    assert_eq!(seal.shape.check(&[], &[], 0, &seen, hash), Ok(()));
}

#[test]
fn what_is_signed_is_fs_veritys() {
    let digest = Digest::new(Algorithm::Sha512, &[0xab; 64]).expect("a digest");
    let formatted = Formatted::new(&digest);
    let expected = [&b"FSVerity\x02\x00\x40\x00"[..], &[0xab; 64]].concat();
    assert_eq!(formatted.bytes(), expected);
}

proptest! {
    #[test]
    fn levels_are_those_of_fs_verity(blocks in 1_usize..3_000_000, is_sha512: bool) {
        let algorithm = if is_sha512 { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let nothing = Digest::new(algorithm, &[0; 64]).expect("a digest");
        let shape = Shape::new(blocks * BLOCK, nothing, &[]).expect("a shape");
        let mut below = blocks;
        let mut sizes = Vec::new();
        while below > 1 {
            below = below.div_ceil(4096 / algorithm.digest_len());
            sizes.push(below);
        }
        let mut start = sizes.iter().sum::<usize>();
        prop_assert_eq!(shape.tree_blocks(), start);
        for (level, size) in shape.levels().iter().zip(&sizes) {
            start -= size;
            prop_assert_eq!(*level, (start, *size));
        }
        prop_assert_eq!((start, shape.levels().len()), (0, sizes.len()));
    }

    #[test]
    fn no_bytes_upset_it(mut bytes in prop::collection::vec(any::<u8>(), 0..600), len in 0_usize..100_000) {
        let _ = Seal::parse(&bytes, len);
        let image = small();
        let mut trailer = of_block(&image, b"");
        bytes.truncate(400);
        let at = len % 320;
        let end = (at + bytes.len()).min(trailer.len());
        trailer[at..end].copy_from_slice(&bytes[..end - at]);
        let _ = Seal::parse(&trailer, image.len());
    }
}
