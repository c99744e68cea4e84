// SPDX-License-Identifier: GPL-2.0-only

//! The scanner with the kernel's own checksum and on the kernel's own memory. What it makes of
//! every kind of input is tested on the host, with the same code.

use kernel::prelude::*;

#[kunit_tests(initoverlayfs_segments)]
mod tests {
    use crate::{
        initrd::{
            filesystem::{
                Filesystem,
                Filesystems, //
            },
            Damage,
            Kind,
            Scanner, //
        },
        scan::CHECKSUMS, //
    };
    use kernel::prelude::*;

    /// The smallest archive there is: the trailer alone.
    const ARCHIVE: &[u8] = b"0707010000000100000000000000000000000000000001\
        000000000000000000000000000000000000000000000000\
        0000000b00000000TRAILER!!!\0\0\0\0";

    fn scanner(buffer: &[u8]) -> Scanner<'_> {
        Scanner::new(buffer, &CHECKSUMS, Filesystems::ALL)
    }

    /// Returns an image of two blocks of 512 bytes and a third that holds the superblock.
    fn image() -> Result<KVec<u8>> {
        let mut image = KVec::from_elem(0u8, 1536, GFP_KERNEL)?;
        image[1024..1028].copy_from_slice(&0xe0f5_e1e2_u32.to_le_bytes());
        image[1032] = 1;
        image[1036] = 9;
        image[1060] = 3;
        let checksum = (CHECKSUMS.crc32c)(0x5045_b54a, &image[1032..]);
        image[1028..1032].copy_from_slice(&checksum.to_le_bytes());
        Ok(image)
    }

    #[test]
    fn the_checksums_are_what_they_are_called() {
        // The check values that every catalogue of checksums has.
        assert_eq!(!(CHECKSUMS.crc32c)(!0, b"123456789"), 0xe306_9283);
        #[cfg(CONFIG_BTRFS_FS = "y")]
        {
            assert_eq!((CHECKSUMS.xxh64)(b""), 0xef46_db37_51d8_e999);
            assert_eq!((CHECKSUMS.sha256)(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
            assert_eq!((CHECKSUMS.blake2b)(b"")[..4], [0x0e, 0x57, 0x51, 0xc0]);
        }
    }

    #[test]
    fn an_image_between_archives_is_found() -> Result {
        let image = image()?;
        let mut buffer = KVec::new();
        for part in [ARCHIVE, &image, ARCHIVE] {
            buffer.extend_from_slice(part, GFP_KERNEL)?;
        }
        let mut found = scanner(&buffer);
        for (is_image, len) in [
            (false, ARCHIVE.len()),
            (true, image.len()),
            (false, ARCHIVE.len()),
        ] {
            let segment = found.next();
            let is_erofs = |kind| matches!(kind, Kind::Image(Filesystem::Erofs, _));
            let right = matches!(
                segment,
                Some(Ok(segment)) if is_erofs(segment.kind) == is_image
                    && segment.range.len() == len
            );
            assert!(right);
        }
        assert!(found.next().is_none());
        Ok(())
    }

    #[test]
    fn a_flipped_bit_is_an_error() -> Result {
        let mut image = image()?;
        image[1100] ^= 4;
        let error = scanner(&image).next();
        let is_erofs = |cause| matches!(cause, Damage::Image(Filesystem::Erofs, _));
        assert!(matches!(error, Some(Err(error)) if is_erofs(error.cause)));
        Ok(())
    }

    #[test]
    fn no_prefix_of_an_image_is_one() -> Result {
        let image = image()?;
        for len in 0..image.len() {
            let taken = scanner(&image[..len])
                .any(|segment| matches!(segment, Ok(segment) if segment.kind != Kind::Unknown));
            assert!(!taken);
        }
        Ok(())
    }
}
