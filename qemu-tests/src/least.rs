// SPDX-License-Identifier: GPL-2.0-only
//! The least memory that is enough for something, by bisection.

use anyhow::Result;

/// The step of the search, in MiB.
pub const STEP: u32 = 8;
/// The most memory that is tried, in MiB.
const MOST: u32 = 2048;

/// Returns the least multiple of [`STEP`] from `low` on that is enough, in MiB, if any up to 2 GiB is.
pub fn search(low: u32, is_enough: impl Fn(u32) -> Result<bool>) -> Result<Option<u32>> {
    search_up_to(low, MOST, is_enough)
}

/// Returns the same, if any up to `most` is enough, which is a multiple of [`STEP`].
pub fn search_up_to(
    low: u32,
    most: u32,
    is_enough: impl Fn(u32) -> Result<bool>,
) -> Result<Option<u32>> {
    if !is_enough(most)? {
        return Ok(None);
    }
    let (mut low, mut high) = (low.max(STEP) / STEP, most / STEP);
    while low < high {
        let middle = (low + high) / 2;
        if is_enough(middle * STEP)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(Some(high * STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_is_found() -> Result<()> {
        for (low, limit, least) in [
            (0, 0, Some(8)),
            (0, 8, Some(8)),
            (0, 9, Some(16)),
            (0, 2048, Some(2048)),
            (0, 2049, None),
            (72, 3, Some(72)),
            (72, 100, Some(104)),
        ] {
            assert_eq!(search(low, |mib| Ok(mib >= limit))?, least, "{low} {limit}");
        }
        assert_eq!(search_up_to(0, 64, |mib| Ok(mib >= 60))?, Some(64));
        assert_eq!(search_up_to(0, 64, |mib| Ok(mib >= 65))?, None);
        Ok(())
    }
}
