// SPDX-License-Identifier: GPL-2.0-only

//! The reach of archives, and damaged ones.

mod common;

use common::{archive, entry, scan, shape, Image};
use initoverlayfs_core::initrd::{Damage, ScanError};

#[test]
fn headers_that_lie_do_not_lead_out_of_the_buffer() {
    let good = entry("first", b"");
    for (at, digits) in [
        (54, "ffffffff"),
        (94, "ffffffff"),
        (94, "xyzzyxyz"),
        (54, "7fffffff"),
    ] {
        let mut bad = entry("a", b"body");
        bad[at..at + 8].copy_from_slice(digits.as_bytes());
        for (buffer, offset) in [(bad.clone(), 0), ([&good[..], &bad].concat(), good.len())] {
            let cause = Damage::Cpio { at: offset };
            let error = ScanError { offset: 0, cause };
            assert_eq!(scan(&buffer), Err(error), "{at} {digits}");
        }
    }
}

#[test]
fn an_archive_may_lack_its_trailer_only_where_something_else_starts() {
    let open = entry("a", b"body");
    let len = open.len();
    assert_eq!(shape(&open), [('C', 0, len)]);
    let image = Image::default().build();
    let packed = [0x1f, 0x8b, 8, 0];
    for next in [&image[..], &packed, &[0; 9]] {
        let buffer = [&open[..], next].concat();
        assert_eq!(shape(&buffer)[0], ('C', 0, len));
    }
    let error = ScanError {
        offset: 0,
        cause: Damage::Cpio { at: len },
    };
    assert_eq!(scan(&[&open[..], b"junk"].concat()), Err(error));
    // Behind a trailer, it does no harm.
    let closed = archive("a", b"body");
    let buffer = [&closed[..], b"junk"].concat();
    let len = closed.len();
    assert_eq!(shape(&buffer), [('C', 0, len), ('?', len, len + 4)]);
}

#[test]
fn names_and_bodies_may_be_as_long_as_the_buffer() {
    let mut long = entry(&"n".repeat(5000), b"");
    assert_eq!(shape(&long), [('C', 0, long.len())]);
    long.pop();
    assert!(scan(&long).is_err());
    // Without a name, an entry is skipped by the unpacker, and ends where its header does.
    let mut nameless = entry("", b"");
    nameless[94..102].copy_from_slice(b"00000000");
    assert_eq!(shape(&nameless), [('C', 0, 112)]);
}
