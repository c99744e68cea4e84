// SPDX-License-Identifier: GPL-2.0-only

//! A bootconfig behind an initrd: parameters for the kernel, which cuts them off before anything else
//! looks at the initrd. `Documentation/admin-guide/bootconfig.rst` of the kernel has the format, and
//! `get_boot_config_from_initrd()` in `init/main.c` reads it.

use std::ops::Range;

/// The last bytes of an initrd with a bootconfig.
const MAGIC: &[u8] = b"#BOOTCONFIG\n";

/// The most bytes that may stand behind these: bootloaders align the size of an initrd.
const MOST_PADDING: usize = 3;

/// `XBC_DATA_MAX`: the most bytes of text.
const LONGEST: usize = 32_767;

/// Returns where the bootconfig is, in bytes from the start of the initrd: text, size, checksum and
/// magic. [`None`] if there is none, or the kernel would not take it.
pub fn find(initrd: &[u8]) -> Option<Range<usize>> {
    let end = (0..=MOST_PADDING).find_map(|padding| {
        let end = initrd.len().checked_sub(padding)?;
        initrd[..end].ends_with(MAGIC).then_some(end)
    })?;
    let (rest, checksum) = initrd[..end - MAGIC.len()].split_last_chunk()?;
    let (rest, size) = rest.split_last_chunk()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let start = rest.len().checked_sub(size).filter(|_| size <= LONGEST)?;
    let sum = |sum: u32, byte: &u8| sum.wrapping_add(u32::from(*byte));
    let is_whole = rest[start..].iter().fold(0, sum) == u32::from_le_bytes(*checksum);
    is_whole.then_some(start..end)
}
