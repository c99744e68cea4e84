// SPDX-License-Identifier: GPL-2.0-only

//! The boot parameter's grammar, as far as the kernel's own libraries take part in it.

use kernel::prelude::*;

#[kunit_tests(initoverlayfs_options)]
mod tests {
    use crate::parameter::options::{
        Mode,
        Options,
        Root, //
    };

    /// Returns what a list makes of the defaults, and how many options of it are bad.
    fn parse(list: &[u8]) -> (Options<'_>, usize) {
        let mut options = Options::default();
        let mut bad = 0;
        options.apply(list, |_| bad += 1);
        (options, bad)
    }

    #[test]
    fn everything_at_once() {
        let (options, bad) = parse(b"require,ro,retain,size=70%");
        assert_eq!(bad, 0);
        assert_eq!(options.mode, Mode::Require);
        assert_eq!(options.size, Some("70%"));
        assert!(options.root == Root::ReadOnly && options.retain);
    }

    #[test]
    fn bad_ones_are_counted_and_skipped() {
        let (options, bad) = parse(b"size=0,,nonsense,off,size=9x,\xff\xfe");
        assert_eq!(bad, 5);
        assert_eq!(options.mode, Mode::Off);
        assert_eq!(options.size, None);
    }

    #[test]
    fn sizes_stop_at_64_bits() {
        assert_eq!(parse(b"size=17179869183g").0.size, Some("17179869183g"));
        assert_eq!(parse(b"size=17179869184g").0.size, None);
        assert_eq!(parse(b"size=18446744073709551616").0.size, None);
        assert_eq!(parse(b"size=15e").0.size, Some("15e"));
        assert_eq!(parse(b"size=16e").0.size, None);
        assert_eq!(parse(b"size=101%").0.size, None);
    }
}
