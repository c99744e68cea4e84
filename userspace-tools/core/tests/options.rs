// SPDX-License-Identifier: GPL-2.0-only

//! The grammar of `initoverlayfs=`.

use initoverlayfs_core::initrd::digest::{Algorithm, Digest};
use initoverlayfs_core::initrd::filesystem::{Filesystem, Filesystems};
use initoverlayfs_core::options::{BadOption, Mode, Options, Policy, Root, UnsignedCpio};
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
        root: Root::ReadOnly,
        retain: true,
        policy: Policy::default(),
        ..Options::default()
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
    assert!(options.retain && options.mode == Mode::Auto);
    assert_eq!(options.root, Root::ReadOnly);
}

#[test]
fn the_last_root_wins() {
    for (list, root) in [
        ("", Root::Overlay),
        ("ro", Root::ReadOnly),
        ("rw", Root::ReadWrite),
        ("ro,rw", Root::ReadWrite),
        ("rw,ro", Root::ReadOnly),
    ] {
        assert_eq!(parse(list).0.root, root, "{list}");
    }
    assert_eq!(parse("rw=1").1, [BadOption::Unknown(b"rw=1")]);
}

#[test]
fn filesystems_add_up_to_those_named() {
    let erofs = Filesystems::NONE.with(Filesystem::Erofs);
    let both = erofs.with(Filesystem::Btrfs);
    for (list, filesystems) in [
        ("auto", Filesystems::ALL),
        ("fstype=erofs", erofs),
        ("fstype=erofs,fstype=erofs", erofs),
        ("fstype=btrfs,auto,fstype=erofs", both),
        (
            "fstype=erofs,fstype=btrfs,fstype=squashfs,fstype=ext4",
            Filesystems::ALL,
        ),
    ] {
        let (options, bad) = parse(list);
        assert_eq!((options.filesystems, bad), (filesystems, vec![]), "{list}");
    }
    for filesystem in Filesystem::ALL {
        let list = format!("fstype={}", filesystem.name());
        let only = Filesystems::NONE.with(filesystem);
        assert_eq!(parse(&list).0.filesystems, only);
    }
}

#[test]
fn a_filesystem_that_does_not_exist_lets_nothing_in() {
    for option in [
        "fstype",
        "fstype=",
        "fstype=vfat",
        "fstype=EROFS",
        "fstype=erofs ",
        "fstype=erofs:btrfs",
        "fstypes=erofs",
    ] {
        let (options, bad) = parse(option);
        assert_eq!(bad, [BadOption::Filesystem(option.as_bytes())]);
        assert_eq!(options.filesystems, Filesystems::NONE, "{option}");
        let btrfs = Filesystems::NONE.with(Filesystem::Btrfs);
        for list in [
            format!("{option},fstype=btrfs"),
            format!("fstype=btrfs,{option}"),
        ] {
            assert_eq!(parse(&list).0.filesystems, btrfs, "{list}");
        }
    }
}

#[test]
fn the_last_subvolume_wins_that_has_a_name() {
    let (options, bad) = parse("subvol=@,subvol=snapshots/1=2");
    assert_eq!((options.subvol, bad), (Some(&b"snapshots/1=2"[..]), vec![]));
    let (options, bad) = parse("subvol=@,subvol=,subvol=a\0b");
    let refused = [&b"subvol="[..], b"subvol=a\0b"];
    assert_eq!(bad, refused.map(BadOption::Subvolume));
    assert_eq!(options.subvol, Some(&b"@"[..]));
    assert_eq!(parse("subvol").1, [BadOption::Unknown(b"subvol")]);
}

/// Returns a digest of `bytes` bytes, and how it stands on the command line.
fn digest(algorithm: Algorithm, byte: u8) -> (Digest, String) {
    let bytes = vec![byte; algorithm.digest_len()];
    let digest = Digest::new(algorithm, &bytes).expect("a digest");
    (digest, format!("{byte:02x}").repeat(bytes.len()))
}

#[test]
fn digests_are_listed_in_order() {
    for algorithm in Algorithm::ALL {
        let (first, first_hex) = digest(algorithm, 0x1f);
        let (second, second_hex) = digest(algorithm, 0xA0);
        let list = format!("verify={}:{first_hex}:{second_hex}", algorithm.name());
        let (options, bad) = parse(&list);
        assert_eq!(bad, []);
        assert!(options.policy.is_set() && !options.policy.is_malformed);
        let digests: Vec<_> = options.policy.digests.expect("digests").iter().collect();
        assert_eq!(digests, [first, second]);
        assert_eq!(
            format!("{first:x}"),
            format!("{}:{first_hex}", algorithm.name())
        );
        // Once more is the same.
        assert_eq!(parse(&format!("{list},{list}")), (options, bad));
    }
}

#[test]
fn policies_add_up_and_never_take_away() {
    let (_, hex) = digest(Algorithm::Sha256, 7);
    let list = format!("verify=signature,verify=sha256:{hex},unsigned-cpio=allow,auto");
    let policy = parse(&list).0.policy;
    assert!(policy.signature && policy.digests.is_some() && !policy.is_malformed);
    assert_eq!(policy.unsigned_cpio, UnsignedCpio::Allow);
    assert!(!parse("unsigned-cpio=ignore").0.policy.is_set());
}

#[test]
fn what_is_no_policy_is_a_malformed_one() {
    let (_, hex) = digest(Algorithm::Sha256, 7);
    for option in [
        "verify".to_owned(),
        "verify=".into(),
        "verify=none".into(),
        "verify=signatures".into(),
        "verify=sha256".into(),
        "verify=sha256:".into(),
        "verify=md5:00".into(),
        format!("verify={hex}"),
        format!("verify=sha512:{hex}"),
        format!("verify=sha256:{hex}:"),
        format!("verify=sha256:{hex}::{hex}"),
        format!("verify=sha256: {hex}"),
        format!("verify=sha256:{}g", &hex[1..]),
        "verify=sha256:\u{e9}".into(),
        "unsigned-cpio".into(),
        "unsigned-cpio=yes".into(),
    ] {
        let (options, bad) = parse(&option);
        assert_eq!(bad, [BadOption::Policy(option.as_bytes())], "{option}");
        assert!(options.policy.is_set() && options.policy.is_malformed);
    }
    let other = digest(Algorithm::Sha256, 8).1;
    let list = format!("verify=sha256:{hex},verify=sha256:{other}");
    assert!(parse(&list).0.policy.is_malformed);
}

proptest! {
    #[test]
    fn no_bytes_upset_it(list in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut reported = 0;
        Options::default().apply(&list, |_| reported += 1);
        prop_assert!(reported <= list.len() + 1);
    }
}
