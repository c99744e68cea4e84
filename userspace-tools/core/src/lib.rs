// SPDX-License-Identifier: GPL-2.0-only

//! The parts of initoverlayfs that the kernel and the host share: the very files of `rust/` that
//! the kernel builds, compiled for the host.

use blake2::{digest::consts::U32, Blake2b};
use initrd::digest::{Algorithm, Digest};
use initrd::filesystem::Checksums;

#[path = "../../../rust/initrd/mod.rs"]
pub mod initrd;
#[path = "../../../rust/parameter/options.rs"]
pub mod options;
pub mod trailer;

/// The checksums that superblocks are checked with.
pub const CHECKSUMS: Checksums = Checksums {
    crc32c,
    xxh64: |bytes| xxhash_rust::xxh64::xxh64(bytes, 0),
    sha256: |bytes| <sha2::Sha256 as sha2::Digest>::digest(bytes).into(),
    blake2b: |bytes| <Blake2b<U32> as blake2::Digest>::digest(bytes).into(),
};

/// Returns the kernel's `crc32c()`: no inversion before or after.
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// Returns a digest of some pieces that follow each other. An [`initrd::digest::Hash`].
pub fn hash(algorithm: Algorithm, pieces: &[&[u8]]) -> Digest {
    fn digest<D: sha2::Digest>(pieces: &[&[u8]]) -> Vec<u8> {
        let mut hasher = D::new();
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.finalize().to_vec()
    }
    let bytes = match algorithm {
        Algorithm::Sha256 => digest::<sha2::Sha256>(pieces),
        Algorithm::Sha512 => digest::<sha2::Sha512>(pieces),
    };
    Digest::new(algorithm, &bytes).expect("the algorithm's own size")
}
