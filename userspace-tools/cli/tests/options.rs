// SPDX-License-Identifier: GPL-2.0-only

//! Options that would have no effect are errors.

mod common;

use common::{newc, node, Place};

#[test]
fn options_without_effect_are_refused() {
    let place = Place::new();
    place.write("a", newc(&[node("init", 0o100_755)]));
    place.succeed("convert a -o sealed --seal");
    for (line, words) in [
        (
            "convert a -o out --key k --cert c",
            "--key and --cert are of no use without --sign",
        ),
        (
            "convert a -o out --hash-alg sha512",
            "--hash-alg and --salt are of no use without --seal",
        ),
        (
            "convert a -o out --salt 00",
            "--hash-alg and --salt are of no use without --seal",
        ),
        (
            "convert a -o out --compression none --level 3",
            "--level is of no use",
        ),
        (
            "convert a -o out --compression none --cluster-size 64K",
            "--cluster-size is of no use",
        ),
        (
            "convert a -o out --compression none --max-extent 64K",
            "--max-extent is of no use",
        ),
        ("digest sealed --hash-alg sha256", "it is sealed already"),
        ("digest sealed --salt 00", "it is sealed already"),
        ("stats --least 5", "--files"),
    ] {
        let said = place.fail(line);
        assert!(said.contains(words), "{line}: {said}");
    }
    place.succeed("convert a -o plain");
    place.succeed("digest plain --hash-alg sha512 --salt 00");
}
