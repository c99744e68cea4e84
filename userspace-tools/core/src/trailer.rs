// SPDX-License-Identifier: GPL-2.0-only

//! Writes what [`seal`](crate::initrd::seal) reads, which the kernel never does.

use crate::initrd::merkle::Shape;
use crate::initrd::seal::{
    ALGORITHM_AT, BLOCK_BITS, BLOCK_BITS_AT, DATA_LEN_AT, DESCRIPTOR_AT, DESCRIPTOR_LEN, MAGIC,
    ROOT_HASH_AT, SALT_AT, SALT_LEN_AT, SIGNATURE_LEN_AT, TRAILER_LEN_AT, VERSION, VERSION_AT,
};

/// `struct fsverity_descriptor` of data with this tree.
pub fn descriptor(shape: &Shape) -> [u8; DESCRIPTOR_LEN] {
    let mut descriptor = [0; DESCRIPTOR_LEN];
    let salt = shape.salt();
    descriptor[0] = 1;
    descriptor[ALGORITHM_AT] = shape.algorithm().number();
    descriptor[BLOCK_BITS_AT] = BLOCK_BITS;
    descriptor[SALT_LEN_AT] = u8::try_from(salt.len()).expect("at most 32");
    put(
        &mut descriptor,
        DATA_LEN_AT,
        &(shape.data_len() as u64).to_le_bytes(),
    );
    put(&mut descriptor, ROOT_HASH_AT, shape.root_hash.bytes());
    put(&mut descriptor, SALT_AT, salt);
    descriptor
}

/// Returns the header of a trailer of `len` bytes with a signature of `signature_len`, which is below 4 GiB.
pub fn header(len: usize, signature_len: usize) -> [u8; DESCRIPTOR_AT] {
    let mut header = [0; DESCRIPTOR_AT];
    let signature_len = u32::try_from(signature_len).expect("a signature below 4 GiB");
    put(&mut header, 0, &MAGIC);
    put(&mut header, VERSION_AT, &VERSION.to_le_bytes());
    put(&mut header, SIGNATURE_LEN_AT, &signature_len.to_le_bytes());
    put(&mut header, TRAILER_LEN_AT, &(len as u64).to_le_bytes());
    header
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}
