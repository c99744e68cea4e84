// SPDX-License-Identifier: GPL-2.0-only

//! The scanner over buffers that are nearly right.

#![no_main]

use std::ops::Range;

use initoverlayfs_core::{
    initrd::{cpio, erofs, filesystem::Filesystem, parse, Damage, Kind, ScanError, Segment},
    CHECKSUMS,
};
use initoverlayfs_fuzz::{
    pieces::{Buffer, Built},
    promises::{check_find, check_scan, scan},
    reference::{self, images},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|buffer: Buffer<'_>| {
    let built = buffer.build();
    let outcome = check_scan(&built.bytes);
    check_find(&built.bytes);
    for (filesystem, image) in &built.images {
        check_image(&built, *filesystem, image, &outcome);
    }
    for archive in &built.archives {
        check_archive(&built, archive);
    }
});

/// Checks that what stands behind a sound image changes nothing, and what stands in front of it only whether a
/// segment may start there.
fn check_image(
    built: &Built,
    filesystem: Filesystem,
    image: &Range<usize>,
    outcome: &(Vec<Segment>, Option<ScanError>),
) {
    if filesystem != Filesystem::Erofs && erofs::has_magic(&built.bytes[image.start..]) {
        // What follows a small one has the magic where EROFS would have it.
        return;
    }
    let bytes = &built.bytes[image.clone()];
    let geometry = parse(filesystem, bytes, &CHECKSUMS).expect("it was found sound");
    let segment = |start: usize| Segment {
        kind: Kind::Image(filesystem, geometry),
        range: start..start + bytes.len(),
        trailer: start + bytes.len()..start + bytes.len(),
    };
    // Only a trailer that belongs to it may follow, or be cut short.
    let is_first = |(found, error): &(Vec<Segment>, Option<ScanError>), index: usize, start| {
        let expected = segment(start);
        match found.get(index) {
            Some(found) => found.kind == expected.kind && found.range == expected.range,
            None => error.is_some_and(|error| matches!(error.cause, Damage::Seal(_))),
        }
    };

    let behind = scan(&built.bytes[image.start..]);
    assert!(is_first(&behind, 0, 0), "{behind:?}");

    // Between NULs, another place may have a magic as well.
    let is_alone = |front: &[u8]| {
        let found = images::image(&[front, bytes].concat(), 0);
        found == Some((filesystem, front.len()))
    };
    let is_nul = bytes.len() >= 1024 && reference::is_nul(&bytes[..1024]);
    if is_nul && is_alone(&[0; 100]) {
        // Some number of NULs, and something compressed, which no image is found in.
        let padding = built.bytes.len() % 1500;
        let padded = [vec![0; padding], bytes.to_vec()].concat();
        assert_eq!(scan(&padded), (vec![segment(padding)], None));
        let packed = [b"\x28\xb5", bytes].concat();
        assert_eq!(scan(&packed).0[1], segment(2));
    }

    // Behind whole segments that say where they end, it is the next one.
    let (front, error) = scan(&built.bytes[..image.start]);
    let end = front.last().map_or(0, |last| last.trailer.end);
    let is_closed = |segment: &Segment| match segment.kind {
        Kind::Image(..) => true,
        Kind::Cpio => {
            // Only what ends the buffer may lack its padding.
            reference::is_entry(&built.bytes[segment.range.start..]) && segment.range.len() % 4 == 0
        }
        Kind::Unknown => false,
    };
    let may_start = images::image(&built.bytes, end) == Some((filesystem, image.start));
    let may_start = may_start || filesystem == Filesystem::Erofs && (end == image.start || is_nul);
    if error.is_none() && front.iter().all(is_closed) && may_start {
        assert!(is_first(outcome, front.len(), image.start), "{outcome:?}");
    }
}

/// A complete archive reaches to its end, or as far as those that follow it without a gap.
fn check_archive(built: &Built, archive: &Range<usize>) {
    let tail = &built.bytes[archive.start..];
    if erofs::has_magic(tail) {
        // Its body, or what follows, has the magic where an image would have it.
        return;
    }
    let further = cpio::walk(&built.bytes[archive.end..]);
    let range = 0..archive.len() + further.len;
    let (segments, error) = scan(tail);
    let kind = Kind::Cpio;
    let trailer = range.end..range.end;
    let whole = Segment {
        kind,
        range,
        trailer,
    };
    if segments.first() != Some(&whole) {
        let cause = Damage::Cpio {
            at: archive.len() + further.len,
        };
        assert_eq!(error, Some(ScanError { offset: 0, cause }));
        assert!(further.is_damaged && segments.is_empty());
    }
}
