// SPDX-License-Identifier: GPL-2.0-only

//! Page accounting: every page goes back, once, with the last that needs it.

use kernel::prelude::*;

/// The number of divisions that are tried.
const ROUNDS: usize = 200;

/// The most segments in one of them.
const SEGMENTS: usize = 5;

#[kunit_tests(initoverlayfs_region)]
mod tests {
    use super::*;
    use crate::{
        kunit::{
            managed,
            pattern,
            touched,
            Fake,
            Numbers,
            PAGES, //
        },
        memory::region::Region, //
    };
    use core::ops::Range;
    use kernel::page::PAGE_SIZE;

    /// Up to [`SEGMENTS`] ranges in order, with and without gaps, many of them within a page.
    fn ranges(numbers: &mut Numbers) -> Result<KVec<Range<usize>>> {
        let mut ranges = KVec::new();
        let mut end = 0;
        for _ in 0..=numbers.below(SEGMENTS) {
            let gap = [0, 0, 3, PAGE_SIZE, numbers.below(3 * PAGE_SIZE)];
            let start = end + gap[numbers.below(gap.len())];
            let len = [1, 100, PAGE_SIZE, numbers.below(3 * PAGE_SIZE) + 1];
            end = start + len[numbers.below(len.len())];
            if end > PAGES * PAGE_SIZE {
                break;
            }
            ranges.push(start..end, GFP_KERNEL)?;
        }
        Ok(ranges)
    }

    #[test]
    fn a_page_lives_as_long_as_the_last_segment_in_it() -> Result {
        let mut numbers = Numbers(1);
        for _ in 0..ROUNDS {
            let before = managed();
            let fake = Fake::new()?;
            assert_eq!(managed(), before - PAGES);

            let ranges = ranges(&mut numbers)?;
            let region = fake.region(0..PAGES * PAGE_SIZE);
            let divided = region.divide(ranges.iter().cloned())?;
            assert_eq!(divided.len(), ranges.len());

            let mut alive = KVec::new();
            for (memory, range) in divided.into_iter().zip(&ranges) {
                assert_eq!(memory.bytes().len(), range.len());
                assert_eq!(memory.bytes().first(), Some(&pattern(range.start)));
                assert_eq!(memory.bytes().last(), Some(&pattern(range.end - 1)));
                alive.push(Some((memory, touched(range))), GFP_KERNEL)?;
            }
            // Dropped in any order.
            for left in (0..=alive.len()).rev() {
                let expected = alive.iter().flatten().fold(0, |bits, (_, own)| bits | own);
                assert_eq!(fake.reserved(), expected);
                // What is in use is counted too.
                assert_eq!(managed(), before);
                if left > 0 {
                    let nth = numbers.below(left);
                    drop(
                        alive
                            .iter_mut()
                            .filter(|slot| slot.is_some())
                            .nth(nth)
                            .and_then(Option::take),
                    );
                }
            }
            assert_eq!(managed(), before);
        }
        Ok(())
    }

    #[test]
    fn an_initrd_that_starts_and_ends_within_pages_gives_back_whole_ones() -> Result {
        let before = managed();
        let fake = Fake::new()?;
        let initrd = 5..PAGES * PAGE_SIZE - 7;
        drop(fake.region(initrd));
        // The first page may hold something else. The last is the initrd's, on x86.
        let kept = if cfg!(CONFIG_X86) {
            1
        } else {
            1 | 1 << (PAGES - 1)
        };
        assert_eq!(fake.reserved(), kept);
        assert_eq!(managed(), before - kept.count_ones() as usize);
        for page in (0..PAGES).filter(|page| kept & 1 << page != 0) {
            // SAFETY: Nobody uses the page any more.
            drop(unsafe { Region::for_test(fake.pages(1 << page)) });
        }
        assert_eq!(managed(), before);
        Ok(())
    }

    #[test]
    fn retained_memory_is_never_freed() -> Result {
        let before = managed();
        let fake = Fake::new()?;
        let mut region = fake.region(0..PAGES * PAGE_SIZE);
        assert_eq!(region.retain().len(), PAGES * PAGE_SIZE);
        drop(region.divide([0..100, 100..PAGE_SIZE + 1].into_iter())?);
        assert_eq!(fake.reserved(), u32::MAX >> (32 - PAGES));
        assert_eq!(managed(), before - PAGES);
        // SAFETY: Nobody else uses the pages, retained only by this test.
        drop(unsafe { Region::for_test(fake.pages(u32::MAX >> (32 - PAGES))) });
        assert_eq!(managed(), before);
        Ok(())
    }
}
