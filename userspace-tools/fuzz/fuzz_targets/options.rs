// SPDX-License-Identifier: GPL-2.0-only

//! The grammar of `initoverlayfs=`.

#![no_main]

use initoverlayfs_core::{
    initrd::{
        digest::Digest,
        filesystem::{Filesystem, Filesystems},
    },
    options::{BadOption, Mode, Options, Root, UnsignedCpio},
};
use initoverlayfs_fuzz::reference::{tmpfs_pages, unit_shift};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|list: &[u8]| {
    let (options, bad) = apply(Options::default(), list);
    let whole = by_hand(list, &bad);
    assert_eq!(options, whole);

    // Twice is as good as once.
    assert_eq!(apply(options, list), (options, bad.clone()));

    // So are two lists for one: at some of the commas, as each costs all of the list.
    let commas: Vec<_> = (0..list.len()).filter(|at| list[*at] == b',').collect();
    for comma in commas.iter().copied().step_by(1 + commas.len() / 4) {
        let (head, tail) = (&list[..comma], &list[comma + 1..]);
        let (first, mut reported) = apply(Options::default(), head);
        let (both, further) = apply(first, tail);
        assert_eq!(both, options);
        reported.extend(further);
        // An empty option is a bad one, an empty list is none.
        let unsaid = usize::from(head.is_empty()) + usize::from(tail.is_empty());
        assert_eq!(reported.len() + unsaid, bad.len());
        if unsaid == 0 {
            assert_eq!(reported, bad);
        }
    }
});

fn apply<'a>(mut options: Options<'a>, list: &'a [u8]) -> (Options<'a>, Vec<BadOption<'a>>) {
    let mut bad = Vec::new();
    options.apply(list, |option| bad.push(option));
    (options, bad)
}

/// Returns whether `text` is the very bytes of `part`, not a copy.
fn is_same(text: &[u8], part: &[u8]) -> bool {
    text.as_ptr_range() == part.as_ptr_range()
}

/// Reads the list option by option. What is taken for bad must be in `bad`, and nothing else.
fn by_hand<'a>(list: &'a [u8], bad: &[BadOption<'a>]) -> Options<'a> {
    let mut bad = bad.iter();
    let mut options = Options::default();
    if list.is_empty() {
        assert_eq!(bad.next(), None);
        return options;
    }
    for option in list.split(|byte| *byte == b',') {
        match option {
            b"auto" => options.mode = Mode::Auto,
            b"require" => options.mode = Mode::Require,
            b"off" => options.mode = Mode::Off,
            b"ro" => options.root = Root::ReadOnly,
            b"rw" => options.root = Root::ReadWrite,
            b"fstype=erofs" => ask_for(&mut options, Some(Filesystem::Erofs)),
            b"fstype=btrfs" => ask_for(&mut options, Some(Filesystem::Btrfs)),
            b"fstype=squashfs" => ask_for(&mut options, Some(Filesystem::Squashfs)),
            b"fstype=ext4" => ask_for(&mut options, Some(Filesystem::Ext4)),
            [b'f', b's', b't', b'y', b'p', b'e', ..] => {
                ask_for(&mut options, None);
                let expected = BadOption::Filesystem(option);
                assert_eq!(bad.next(), Some(&expected));
            }
            [b's', b'u', b'b', b'v', b'o', b'l', b'=', name @ ..] => {
                if name.is_empty() || name.contains(&0) {
                    let expected = BadOption::Subvolume(option);
                    assert_eq!(bad.next(), Some(&expected));
                } else {
                    options.subvol = Some(name);
                }
            }
            b"retain" => options.retain = true,
            [b's', b'i', b'z', b'e', b'=', size @ ..] => {
                match bad.as_slice().first() {
                    Some(BadOption::Size(text)) if is_same(text, option) => {
                        bad.next();
                        assert!(!is_plain_size(size), "refused: {}", size.escape_ascii());
                    }
                    _ => options.size = Some(check_size(size)),
                };
            }
            b"verify=signature" => options.policy.signature = true,
            b"unsigned-cpio=ignore" => options.policy.unsigned_cpio = UnsignedCpio::Ignore,
            b"unsigned-cpio=allow" => options.policy.unsigned_cpio = UnsignedCpio::Allow,
            [b'v', b'e', b'r', b'i', b'f', b'y', ..]
            | [b'u', b'n', b's', b'i', b'g', b'n', b'e', b'd', b'-', b'c', b'p', b'i', b'o', ..] => {
                match bad.as_slice().first() {
                    Some(BadOption::Policy(text)) if is_same(text, option) => {
                        bad.next();
                        options.policy.is_malformed = true;
                    }
                    _ => {
                        let lists = Options::default();
                        let (lists, _) = apply(lists, option);
                        let digests = lists.policy.digests.expect("digests");
                        check_digests(option, &digests.iter().collect::<Vec<_>>());
                        options.policy.digests = Some(digests);
                    }
                };
            }
            _ => match bad.next() {
                Some(BadOption::Unknown(text)) if is_same(text, option) => (),
                other => panic!("{other:?} for {}", option.escape_ascii()),
            },
        }
    }
    assert_eq!(bad.next(), None);
    options
}

/// Does what `fstype=` does, with the name of a filesystem or not.
fn ask_for(options: &mut Options<'_>, filesystem: Option<Filesystem>) {
    if !options.is_restricted {
        options.filesystems = Filesystems::NONE;
    }
    options.is_restricted = true;
    if let Some(filesystem) = filesystem {
        options.filesystems = options.filesystems.with(filesystem);
    }
}

/// Checks that these digests are what the option says.
fn check_digests(option: &[u8], digests: &[Digest]) {
    let text = std::str::from_utf8(option).expect("it is ASCII");
    let algorithm = digests[0].algorithm().name();
    let hex = digests.iter().map(|digest| format!("{digest:x}"));
    let hex: Vec<_> = hex
        .map(|hex| hex[algorithm.len() + 1..].to_owned())
        .collect();
    let said = format!("verify={algorithm}:{}", hex.join(":"));
    assert!(said.eq_ignore_ascii_case(text), "{said} for {text}");
}

/// Returns the number of bytes, or the percentage, that a person would read there.
fn read_size(size: &[u8]) -> Option<u128> {
    let (last, rest) = size.split_last()?;
    let shift = unit_shift(*last);
    let digits = if shift > 0 || *last == b'%' {
        rest
    } else {
        size
    };
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).expect("they are ASCII");
    let number: u128 = digits.parse().expect("they are at most 20");
    Some(number << shift)
}

/// Checks a size that was accepted: tmpfs takes it, for the number that it looks like, and for a
/// limit.
fn check_size(size: &[u8]) -> &str {
    let number = read_size(size);
    for total_pages in [1 << 15, 1 << 19, 1 << 30] {
        let pages = tmpfs_pages(size, total_pages).map(u128::from);
        let expected = number.map(|number| match size.last() {
            Some(b'%') => (number * u128::from(total_pages) * 4096 / 100).div_ceil(4096),
            _ => number.div_ceil(4096),
        });
        assert!(
            pages == expected && pages.is_some_and(|pages| pages > 0),
            "size={}: tmpfs takes it for {pages:?} pages, not {expected:?}",
            size.escape_ascii()
        );
    }
    std::str::from_utf8(size).expect("it was handed out as text")
}

/// Returns whether nobody could object to a size: it must be accepted.
fn is_plain_size(size: &[u8]) -> bool {
    let most = if size.ends_with(b"%") { 100 } else { 1 << 63 };
    !size.starts_with(b"0") && read_size(size).is_some_and(|number| (1..=most).contains(&number))
}
