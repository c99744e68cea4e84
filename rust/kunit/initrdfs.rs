// SPDX-License-Identifier: GPL-2.0-only

//! Reads of segments as files, through the VFS.

use kernel::prelude::*;

#[kunit_tests(initoverlayfs_initrdfs)]
mod tests {
    use crate::{
        initrd::Kind,
        kunit::{
            managed,
            pattern,
            Fake,
            PAGES, //
        },
        memory::{
            segment_file::{
                File,
                Segments, //
            },
            usage::Usage, //
        },
        source::initrdfs,
        sys::{
            bindings,
            initramfs, //
        }, //
    };

    use crate::sys::vfs::mount::Mount;

    use core::ops::Range;
    use kernel::{
        error::to_result,
        page::PAGE_SIZE,
        prelude::*, //
    };

    /// Two segments, neither of which starts or ends where a page does.
    const SEGMENTS: [Range<usize>; 2] =
        [3..PAGE_SIZE * 2 + 100, PAGE_SIZE * 2 + 100..PAGE_SIZE * 5];

    fn mounted(fake: &Fake) -> Result<(Mount, Segments)> {
        let region = fake.region(0..PAGES * PAGE_SIZE);
        let mut files = KVec::new();
        for memory in region.divide(SEGMENTS.into_iter())? {
            let len = memory.bytes().len();
            let usage = Usage::new(&Kind::Cpio, len)?;
            files.push(File::new(memory, len, None, usage), GFP_KERNEL)?;
        }
        let segments = Segments::new(files)?;
        let mount = initrdfs::mount(&segments)?;
        Ok((mount, segments))
    }

    /// Reads file `name` as a program would; returns what there is of `len` bytes at `position`.
    fn read(mount: &Mount, name: &CStr, position: i64, len: usize) -> Result<KVec<u8>> {
        let mut buffer = KVec::from_elem(0xeeu8, len, GFP_KERNEL)?;
        let root = mount.root();
        // SAFETY: The path and the name are valid, and the buffer has `len` bytes.
        let count = unsafe {
            bindings::initoverlayfs_test_read(
                root.as_raw(),
                name.as_char_ptr(),
                buffer.as_mut_ptr().cast(),
                len,
                position,
            )
        };
        to_result(count.min(0) as i32)?;
        // What was not read is left alone.
        let count = count as usize;
        if buffer[count..].iter().any(|byte| *byte != 0xee) {
            return Err(EIO);
        }
        buffer.truncate(count);
        Ok(buffer)
    }

    /// Returns whether the pages have gone back, or do so within a second: the mounts and files of
    /// a kernel thread are put down by a worker.
    fn is_freed(fake: &Fake) -> bool {
        (0..100).any(|_| {
            initramfs::flush();
            // SAFETY: This is a thread of its own, without locks.
            unsafe { kernel::bindings::msleep(10) };
            fake.reserved() == 0
        })
    }

    /// Returns what a read is to return: the segment, then zeroes to the end of its last page.
    fn is_right(segment: &Range<usize>, position: usize, found: &[u8]) -> bool {
        found.iter().enumerate().all(|(at, byte)| {
            let at = position + at;
            *byte
                == if at < segment.len() {
                    pattern(segment.start + at)
                } else {
                    0
                }
        })
    }

    #[test]
    fn reads_of_any_place_and_length_are_exact() -> Result {
        let fake = Fake::new()?;
        let (mount, _) = mounted(&fake)?;
        for (segment, name) in SEGMENTS.iter().zip([c"0", c"1"]) {
            let end = segment.len().next_multiple_of(PAGE_SIZE);
            for position in [
                0,
                1,
                511,
                4095,
                4096,
                4097,
                8193,
                end - 1,
                end,
                end + 1,
                1 << 40,
            ] {
                for len in [0, 1, 2, 511, 4096, 5000, 3 * PAGE_SIZE, 8 * PAGE_SIZE] {
                    let found = read(&mount, name, position as i64, len)?;
                    assert_eq!(found.len(), len.min(end.saturating_sub(position)));
                    assert!(is_right(segment, position, &found));
                }
            }
        }
        drop(mount);
        assert!(is_freed(&fake));
        Ok(())
    }

    #[test]
    fn there_is_nothing_before_the_start_and_no_third_file() -> Result {
        let fake = Fake::new()?;
        let (mount, _) = mounted(&fake)?;
        assert_eq!(read(&mount, c"0", -1, 10).err(), Some(EINVAL));
        assert_eq!(read(&mount, c"2", 0, 10).err(), Some(ENOENT));
        assert_eq!(read(&mount, c".", 0, 10).err(), Some(EINVAL));
        drop(mount);
        assert!(is_freed(&fake));
        Ok(())
    }

    #[test]
    fn the_memory_goes_back_when_the_last_user_is_gone() -> Result {
        let before = managed();
        let fake = Fake::new()?;
        let (mount, _) = mounted(&fake)?;
        assert_eq!(fake.reserved(), 0b1_1111);
        let also = mount.root();
        drop(mount);
        assert_eq!(fake.reserved(), 0b1_1111);
        drop(also);
        assert!(is_freed(&fake));
        assert_eq!(managed(), before);
        Ok(())
    }

    #[test]
    fn what_is_withdrawn_goes_back_at_once_and_is_read_no_more() -> Result {
        let before = managed();
        let fake = Fake::new()?;
        let (mount, segments) = mounted(&fake)?;
        assert_eq!(read(&mount, c"1", 0, 1)?.len(), 1);
        segments.withdraw();
        assert_eq!(fake.reserved(), 0);
        assert_eq!(managed(), before);
        assert_eq!(read(&mount, c"0", 0, 1).err(), Some(EIO));
        assert_eq!(read(&mount, c"1", 1 << 40, 1).err(), Some(EIO));
        drop(mount);
        Ok(())
    }
}
