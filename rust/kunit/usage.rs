// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the counters of a layer's reads.

use kernel::prelude::*;

#[kunit_tests(initoverlayfs_usage)]
mod tests {
    use crate::{
        initrd::Kind,
        memory::usage::Usage, //
    };
    use kernel::{
        prelude::*,
        str::CString, //
    };

    /// Returns a layer of ten and a half blocks.
    fn layer() -> Result<Usage> {
        Usage::new(&Kind::Cpio, 43_008)
    }

    /// Returns whether debugfs would show this.
    fn shows(usage: &Usage, text: &CStr) -> Result<bool> {
        Ok(*CString::try_from_fmt(fmt!("{usage}"))? == *text)
    }

    #[test]
    fn nothing_is_read_at_first() -> Result {
        let usage = layer()?;
        assert!(shows(&usage, c"cpio 43008 43008 0 0 0")?);
        assert_eq!(usage.runs().next(), None);
        Ok(())
    }

    #[test]
    fn each_block_counts_once_and_each_byte_as_often_as_it_is_copied() -> Result {
        let usage = layer()?;
        usage.count(4095, 2);
        usage.count(4096, 4096);
        usage.count(5 * 4096, 1);
        assert!(shows(&usage, c"cpio 43008 43008 3 4099 3")?);
        assert!(usage.runs().eq([(0, 1), (5, 5)]));
        Ok(())
    }

    #[test]
    fn what_lies_past_the_end_is_not_read() -> Result {
        let usage = layer()?;
        usage.count(43_007, 4096);
        usage.count(43_008, 4096);
        usage.count(usize::MAX, usize::MAX);
        assert!(shows(&usage, c"cpio 43008 43008 3 1 1")?);
        assert!(usage.runs().eq([(10, 10)]));
        Ok(())
    }

    #[test]
    fn copies_count_together_and_memory_is_held_until_it_is_given_back() -> Result {
        let usage = layer()?;
        let also = usage.clone();
        also.count(0, usize::MAX);
        also.release();
        drop(also);
        assert!(shows(&usage, c"cpio 43008 0 1 43008 11")?);
        assert!(usage.runs().eq([(0, 10)]));
        Ok(())
    }
}
