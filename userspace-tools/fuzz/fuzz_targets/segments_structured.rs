// SPDX-License-Identifier: GPL-2.0-only

//! The scanner over buffers that are nearly right.

#![no_main]

use std::ops::Range;

use initoverlayfs_core::{
    initrd::{cpio, erofs, image::Filesystem, Damage, Kind, ScanError, Segment},
    CHECKSUMS,
};
use initoverlayfs_fuzz::{
    pieces::{Buffer, Built},
    promises::{check_find, check_scan, scan},
    reference,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|buffer: Buffer<'_>| {
    let built = buffer.build();
    let outcome = check_scan(&built.bytes);
    check_find(&built.bytes);
    for image in &built.images {
        check_image(&built, image, &outcome);
    }
    for archive in &built.archives {
        check_archive(&built, archive);
    }
});

/// What stands behind a sound image changes nothing, and what stands in front of it only whether a
/// segment may start there.
fn check_image(built: &Built, image: &Range<usize>, outcome: &(Vec<Segment>, Option<ScanError>)) {
    let bytes = &built.bytes[image.clone()];
    let geometry = erofs::parse(bytes, &CHECKSUMS).expect("it was found sound");
    let segment = |start: usize| Segment {
        kind: Kind::Image(Filesystem::Erofs, geometry),
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

    let is_nul = reference::is_nul(&bytes[..1024]);
    if is_nul {
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
    if error.is_none() && front.iter().all(is_closed) && (end == image.start || is_nul) {
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
