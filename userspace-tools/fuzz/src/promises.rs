// SPDX-License-Identifier: GPL-2.0-only

//! What the doc comments of `rust/initrd/` promise, for any bytes.

use initoverlayfs_core::{
    hash,
    initrd::{
        self, cpio, erofs,
        filesystem::{Filesystem, Filesystems, Geometry, SuperblockError},
        lz4, merkle, parse, seal, Damage, Kind, ScanError, Scanner, Segment,
    },
    trailer, CHECKSUMS,
};

use crate::reference::{
    self,
    images::{self, Format},
};

/// Returns the segments of `buffer`, and the error that ended them.
pub fn scan(buffer: &[u8]) -> (Vec<Segment>, Option<ScanError>) {
    let mut scanner = Scanner::new(buffer, &CHECKSUMS, Filesystems::ALL);
    let mut segments = Vec::new();
    let error = loop {
        match scanner.next() {
            None => break None,
            Some(Err(error)) => break Some(error),
            Some(Ok(segment)) => segments.push(segment),
        }
        assert!(segments.len() <= buffer.len(), "it does not end");
    };
    for _ in 0..2 {
        assert_eq!(scanner.next(), None, "something comes after the end");
    }
    (segments, error)
}

/// Scans `buffer` and checks all that can be said of the outcome.
pub fn check_scan(buffer: &[u8]) -> (Vec<Segment>, Option<ScanError>) {
    let (segments, error) = scan(buffer);
    let mut end = 0;
    for (index, segment) in segments.iter().enumerate() {
        check_segment(buffer, end, segment);
        end = segment.trailer.end;
        // A segment is what it is without what follows it, unless that lends it half of a magic
        // (the second byte of lzma's may be the first one of an image) ...
        let held = buffer[segment.range.clone()]
            .iter()
            .skip_while(|byte| **byte == 0);
        if segment.kind != Kind::Cpio || held.count() > 1 {
            assert_eq!(
                scan(&buffer[..end]),
                (segments[..=index].to_vec(), None),
                "cut behind {segment:?}"
            );
        }
        // ... and without what precedes it.
        let (mut rest, rest_error) = scan(&buffer[end..]);
        for later in &mut rest {
            for range in [&mut later.range, &mut later.trailer] {
                *range = range.start + end..range.end + end;
            }
        }
        let expected = without_padding(buffer, segments[index + 1..].to_vec());
        assert_eq!(
            without_padding(buffer, rest),
            expected,
            "begun behind {segment:?}"
        );
        assert_eq!(rest_error.map(|error| shifted(error, end)), error);
    }
    match error {
        None => assert!(
            reference::is_nul(&buffer[end..]),
            "something is left out at {end}"
        ),
        Some(error) => check_error(buffer, end, error),
    }
    (segments, error)
}

/// Checks segments at another place. The padding that a compressed archive begins with depends on where it stands in the buffer.
fn without_padding(buffer: &[u8], mut segments: Vec<Segment>) -> Vec<Segment> {
    for Segment { range, .. } in segments.iter_mut().filter(|s| s.kind == Kind::Cpio) {
        let padding = buffer[range.clone()].iter().take_while(|byte| **byte == 0);
        range.start += padding.count();
    }
    segments
}

/// Returns an error of a buffer that stands `by` bytes into another one.
fn shifted(error: ScanError, by: usize) -> ScanError {
    ScanError {
        offset: error.offset + by,
        cause: match error.cause {
            Damage::Cpio { at } => Damage::Cpio { at: at + by },
            cause => cause,
        },
    }
}

/// Checks one segment, in front of which there is nothing undecided from `previous` on.
fn check_segment(buffer: &[u8], previous: usize, segment: &Segment) {
    let Segment {
        kind,
        range,
        trailer,
    } = segment;
    assert_eq!(*trailer, reference::trailer(buffer, range, kind));
    assert!(previous <= range.start && range.start < range.end && range.end <= buffer.len());
    assert!(reference::is_nul(&buffer[previous..range.start]));
    let tail = &buffer[range.start..];
    let bytes = &buffer[range.clone()];
    match kind {
        Kind::Image(filesystem, geometry) => {
            let expected = Some((*filesystem, range.start));
            assert_eq!(images::image(buffer, previous), expected);
            assert_eq!(geometry.size, bytes.len());
            assert_eq!(parse(*filesystem, tail, &CHECKSUMS), Ok(*geometry));
            assert_eq!(parse(*filesystem, bytes, &CHECKSUMS), Ok(*geometry));
        }
        Kind::Cpio if reference::is_entry(tail) => {
            check_no_image(buffer, previous, range.start);
            assert_eq!(cpio::walk(tail).len, bytes.len());
        }
        Kind::Cpio => {
            // As much padding belongs to it as makes it start at a multiple of 4.
            let padding = tail
                .iter()
                .position(|byte| *byte != 0)
                .expect("it holds something");
            let start = range.start + padding;
            assert_eq!(range.start, previous.max(start - start % 4));
            check_no_image(buffer, previous, start);
            assert!(reference::is_compressed(&buffer[start..]));
            if lz4::has_magic(&buffer[start..]) {
                let extent = lz4::walk(&buffer[start..]);
                assert_eq!(start + extent.len, range.end);
                // What it holds, the decompressor can walk through.
                assert!(!lz4::walk(&buffer[start..range.end]).is_damaged);
            } else {
                let len = images::find(tail).unwrap_or(tail.len());
                assert_eq!(bytes.len(), len);
            }
        }
        Kind::Unknown => {
            check_no_image(buffer, previous, range.start);
            assert!(!reference::is_entry(tail) && !reference::is_compressed(tail));
            assert_eq!(range.end, buffer.len());
        }
    }
}

fn check_error(buffer: &[u8], previous: usize, error: ScanError) {
    let ScanError { offset, cause } = error;
    assert!(previous <= offset && offset < buffer.len());
    assert!(reference::is_nul(&buffer[previous..offset]));
    let tail = &buffer[offset..];
    match cause {
        Damage::Image(filesystem, cause) => {
            let expected = Some((filesystem, offset));
            assert_eq!(images::image(buffer, previous), expected);
            assert_eq!(images::superblock(filesystem, tail), Err(cause));
        }
        Damage::Seal(cause) => {
            let (filesystem, start) = images::image(buffer, previous).expect("an image");
            assert_eq!(start, offset);
            let geometry = parse(filesystem, tail, &CHECKSUMS).expect("a sound image");
            let behind = &tail[geometry.size.next_multiple_of(4096)..];
            assert_eq!(seal::extent(behind), Err(cause));
        }
        Damage::Cpio { at } => {
            check_no_image(buffer, previous, offset);
            let extent = if lz4::has_magic(tail) {
                lz4::walk(tail)
            } else {
                assert!(reference::is_entry(tail));
                cpio::walk(tail)
            };
            assert_eq!(offset + extent.len, at);
            assert!(extent.is_damaged);
            // Padding, an image or a compressed archive may follow an archive without a trailer.
            if at > offset {
                let behind = &buffer[at..];
                assert!(!behind.starts_with(b"\0"));
                assert!(!erofs::has_magic(behind) && !behind.starts_with(b"hsqs"));
                assert!(!reference::is_compressed(behind));
            }
        }
    }
}

/// Checks what is no image: it starts with the first byte that is set, and is not preceded by what an image
/// starts with.
fn check_no_image(buffer: &[u8], previous: usize, start: usize) {
    assert_ne!(buffer[start], 0);
    assert_eq!(images::image(buffer, previous), None);
}

/// Checks `parse` and `has_magic` at the start of `bytes`.
pub fn check_superblock(filesystem: Filesystem, bytes: &[u8]) {
    let outcome = parse(filesystem, bytes, &CHECKSUMS);
    assert_eq!(outcome, images::superblock(filesystem, bytes));
    let format = Format::of(filesystem);
    let has_magic = initrd::has_magic(filesystem, bytes);
    assert_eq!(has_magic, format.is_at(bytes));
    if let Err(cause) = outcome {
        assert!(has_magic || cause == SuperblockError::NoSuperblock);
    }
    let Ok(geometry @ Geometry { block_size, size }) = outcome else {
        return;
    };
    assert!(has_magic);
    assert!(block_size.is_power_of_two() && (512..=1 << 20).contains(&block_size));
    let least = format.superblock + format.len;
    assert!((least..=bytes.len()).contains(&size));
    // It needs all of its bytes, and no others.
    assert_eq!(parse(filesystem, &bytes[..size], &CHECKSUMS), Ok(geometry));
    let (need, have) = (size, size - 1);
    let truncated = parse(filesystem, &bytes[..have], &CHECKSUMS);
    assert!(
        truncated == Err(SuperblockError::Truncated { need, have })
            || truncated == Err(SuperblockError::NoSuperblock) && have < least,
        "{truncated:?}"
    );
}

/// Checks `find`.
pub fn check_find(bytes: &[u8]) -> Option<usize> {
    let found = initrd::find(bytes, &CHECKSUMS, Filesystems::ALL);
    assert_eq!(found, images::find(bytes));
    found
}

/// Checks `cpio::walk`.
pub fn check_walk(bytes: &[u8]) {
    let extent = cpio::walk(bytes);
    let entries = reference::entries(bytes);
    let len = entries.last().map_or(0, |last| last.end);
    assert_eq!(extent.len, len);
    assert!(len <= bytes.len() && (len % 4 == 0 || len == bytes.len()));

    let rest = &bytes[len..];
    let is_open = entries.last().is_some_and(|last| !last.is_trailer);
    let is_damaged = reference::is_entry(rest) || is_open && !rest.is_empty();
    assert_eq!(extent.is_damaged, is_damaged);

    for (index, entry) in entries.iter().enumerate() {
        let (head, tail) = bytes.split_at(entry.end);
        // What follows an entry has no say in it, and what precedes it neither.
        let whole = cpio::Extent {
            len: entry.end,
            is_damaged: false,
        };
        assert_eq!(cpio::walk(head), whole);
        let further = cpio::walk(tail);
        assert_eq!(entry.end + further.len, len);
        if index + 1 < entries.len() {
            assert_eq!(further.is_damaged, is_damaged);
        }
    }
}

/// Checks `seal::Seal::parse` for an image of `len` bytes, and what it makes of blocks that cannot be right.
pub fn check_seal(bytes: &[u8], len: usize) {
    let Ok(parsed) = seal::Seal::parse(bytes, len) else {
        return;
    };
    assert_eq!(seal::extent(bytes), Ok(Some(bytes.len())));
    let shape = &parsed.shape;
    assert_eq!(shape.data_len(), len);
    assert_eq!(parsed.tree.len(), shape.tree_len());
    let signature = parsed.signature.len().next_multiple_of(merkle::BLOCK);
    assert_eq!(
        bytes.len(),
        seal::HEADER_BLOCK + parsed.tree.len() + signature
    );
    // What was read is all there is to it.
    let header = trailer::header(bytes.len(), parsed.signature.len());
    let descriptor = trailer::descriptor(shape);
    assert_eq!(bytes[..seal::DESCRIPTOR_AT], header);
    let descriptor_end = seal::DESCRIPTOR_AT + seal::DESCRIPTOR_LEN;
    assert_eq!(bytes[seal::DESCRIPTOR_AT..descriptor_end], descriptor);
    assert_eq!(parsed.digest(hash), hash(shape.algorithm(), &[&descriptor]));

    // No block of these data has this tree, unless somebody has found a collision.
    let seen = Marks::default();
    for block in [0, shape.data_blocks() / 2, shape.data_blocks() - 1] {
        if let Ok(()) = shape.check(b"no such data", parsed.tree, block, &seen, hash) {
            assert!(seen.0.borrow().contains(&(shape.tree_blocks() + block)));
        }
    }
    // Behind the end there is nothing to check.
    let behind = shape.data_blocks();
    assert_eq!(
        shape.check(&[], &[], behind, &Marks::default(), hash),
        Ok(())
    );
}

/// Which blocks have been found right.
#[derive(Default)]
pub struct Marks(std::cell::RefCell<std::collections::BTreeSet<usize>>);

impl merkle::Seen for Marks {
    fn has(&self, block: usize) -> bool {
        self.0.borrow().contains(&block)
    }

    fn mark(&self, block: usize) {
        assert!(self.0.borrow_mut().insert(block), "checked twice");
    }
}
