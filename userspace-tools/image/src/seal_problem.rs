// SPDX-License-Identifier: GPL-2.0-only

//! Messages about trailers.

use std::fmt;

use initoverlayfs_core::initrd::seal::SealError;

/// A problem of a trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealProblem(pub SealError);

impl fmt::Display for SealProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SealError::Truncated { need, have } => {
                write!(f, "it is truncated: {have} of {need} bytes are there")
            }
            SealError::Version(version) => write!(f, "its format is of version {version}, not 1"),
            SealError::DescriptorVersion(version) => {
                write!(f, "its descriptor is of version {version}, not 1")
            }
            SealError::Algorithm(number) => {
                write!(
                    f,
                    "its hash algorithm has number {number}: not sha256 or sha512"
                )
            }
            SealError::BlockBits(bits) => {
                write!(f, "its tree has blocks of 2^{bits} bytes, not 2^12")
            }
            SealError::DataLen(len) => write!(f, "it is for {len} bytes: another image's"),
            SealError::Sizes => f.write_str("its sizes do not add up"),
            SealError::Reserved => f.write_str("something is set that has to be zero"),
        }
    }
}

impl std::error::Error for SealProblem {}
