// SPDX-License-Identifier: GPL-2.0-only

//! Digests by the kernel's library, and blocks that are checked once.

use kernel::prelude::*;

#[kunit_tests(initoverlayfs_guard)]
mod tests {
    use crate::{
        initrd::{
            digest::{
                Algorithm,
                Digest, //
            },
            merkle::{
                Shape,
                BLOCK, //
            }, //
        },
        memory::guard::Guard,
        parameter::options::Options,
        sys::digest, //
    };
    use kernel::prelude::*;

    /// Two blocks, the second one short, and the tree that holds their digests behind them.
    fn sealed(algorithm: Algorithm) -> Result<(KVec<u8>, Shape)> {
        let nothing = Digest::new(algorithm, &[0; 64]).ok_or(EINVAL)?;
        let mut shape = Shape::new(BLOCK + 100, nothing, b"salt").ok_or(EINVAL)?;
        let mut memory = KVec::from_elem(0x5au8, 3 * BLOCK, GFP_KERNEL)?;
        memory[BLOCK..].fill(0);
        memory[BLOCK..BLOCK + 100].fill(0xa5);
        let digests = [
            shape.hash_block(&memory[..BLOCK], digest::hash),
            shape.hash_block(&memory[BLOCK..BLOCK + 100], digest::hash),
        ];
        let len = algorithm.digest_len();
        for (at, digest) in digests.iter().enumerate() {
            memory[2 * BLOCK + at * len..][..len].copy_from_slice(digest.bytes());
        }
        shape.root_hash = shape.hash_block(&memory[2 * BLOCK..], digest::hash);
        Ok((memory, shape))
    }

    #[test]
    fn digests_are_those_of_the_standard() -> Result {
        // FIPS 180-4's example, in pieces.
        let found = digest::hash(Algorithm::Sha256, &[b"a", b"", b"bc"]);
        let expected = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Some(found), Digest::from_hex(Algorithm::Sha256, expected));
        let found = digest::hash(Algorithm::Sha512, &[b"abc"]);
        let expected = b"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        assert_eq!(Some(found), Digest::from_hex(Algorithm::Sha512, expected));
        Ok(())
    }

    #[test]
    fn what_is_right_is_read() -> Result {
        for algorithm in Algorithm::ALL {
            let (memory, shape) = sealed(algorithm)?;
            let guard = Guard::new(0, shape, 2 * BLOCK..3 * BLOCK)?;
            guard.check(&memory, 0..usize::MAX)?;
            guard.check(&memory, 10 * BLOCK..11 * BLOCK)?;
        }
        Ok(())
    }

    #[test]
    fn what_was_changed_is_not() -> Result {
        for algorithm in Algorithm::ALL {
            // In the second block, and in its digest.
            for at in [BLOCK + 50, 2 * BLOCK + algorithm.digest_len() + 3] {
                let (mut memory, shape) = sealed(algorithm)?;
                memory[at] ^= 1;
                let guard = Guard::new(0, shape, 2 * BLOCK..3 * BLOCK)?;
                // The first is right as long as the tree is.
                assert_eq!(guard.check(&memory, 0..1).is_ok(), at < 2 * BLOCK);
                assert_eq!(guard.check(&memory, BLOCK..BLOCK + 1), Err(EIO));
                assert_eq!(guard.check(&memory, 0..2 * BLOCK), Err(EIO));
            }
        }
        Ok(())
    }

    #[test]
    fn nothing_is_checked_twice() -> Result {
        let (mut memory, shape) = sealed(Algorithm::Sha256)?;
        let guard = Guard::new(0, shape, 2 * BLOCK..3 * BLOCK)?;
        guard.check(&memory, 0..2 * BLOCK)?;
        memory.fill(0);
        guard.check(&memory, 0..2 * BLOCK)
    }

    #[test]
    fn policies_add_up() {
        let mut options = Options::default();
        assert!(!options.policy.is_set());
        options.apply(b"verify=signature", |_| {});
        options.apply(b"verify=sha256:0", |_| {});
        assert!(options.policy.signature && options.policy.is_malformed);
        assert!(options.policy.digests.is_none());
    }
}
