// SPDX-License-Identifier: GPL-2.0-only

//! The grammar of `initoverlayfs=`.

use initoverlayfs_core::options::{BadOption, Mode, Options};
use proptest::prelude::*;

fn parse(list: &str) -> (Options<'_>, Vec<BadOption<'_>>) {
    let mut options = Options::default();
    let mut bad = Vec::new();
    options.apply(list.as_bytes(), |option| bad.push(option));
    (options, bad)
}

#[test]
fn nothing_means_auto() {
    assert_eq!(parse(""), (Options::default(), vec![]));
    assert_eq!(Options::default().mode, Mode::Auto);
}

#[test]
fn each_option_sets_its_own() {
    let expected = Options {
        mode: Mode::Require,
        size: Some("512M"),
        read_only: true,
        retain: true,
    };
    assert_eq!(parse("require,size=512M,ro,retain"), (expected, vec![]));
    assert_eq!(parse("off").0.mode, Mode::Off);
}

#[test]
fn the_last_one_wins_also_over_several_parameters() {
    let mut options = Options::default();
    options.apply(b"require,size=1m", |bad| panic!("{bad:?}"));
    options.apply(b"auto,size=2m", |bad| panic!("{bad:?}"));
    assert_eq!((options.mode, options.size), (Mode::Auto, Some("2m")));
}

#[test]
fn sizes_are_those_of_tmpfs() {
    for size in [
        "1", "4096", "64k", "64K", "512M", "2g", "1T", "15E", "1%", "50%", "100%",
    ] {
        let list = format!("size={size}");
        assert_eq!(
            parse(&list),
            (
                Options {
                    size: Some(size),
                    ..Options::default()
                },
                vec![]
            )
        );
    }
    for size in [
        "",
        "%",
        "M",
        "0",
        "0%",
        "101%",
        "-1",
        "+1",
        "1.5G",
        "1MB",
        "16E",
        "99999999999999999999",
        " 1",
    ] {
        let list = format!("size={size}");
        assert_eq!(
            parse(&list),
            (Options::default(), vec![BadOption::Size(list.as_bytes())])
        );
    }
}

#[test]
fn bad_options_are_reported_and_the_others_kept() {
    let (options, bad) = parse("requir,ro,,size,retain=1,retain");
    let unknown: Vec<_> = [&b"requir"[..], b"", b"size", b"retain=1"]
        .into_iter()
        .map(BadOption::Unknown)
        .collect();
    assert_eq!(bad, unknown);
    assert!(options.read_only && options.retain && options.mode == Mode::Auto);
}

proptest! {
    #[test]
    fn no_bytes_upset_it(list in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut reported = 0;
        Options::default().apply(&list, |_| reported += 1);
        prop_assert!(reported <= list.len() + 1);
    }
}
