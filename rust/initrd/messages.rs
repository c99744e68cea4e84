// SPDX-License-Identifier: GPL-2.0-only

//! Words for what is wrong with an image, the same ones in the kernel's log and from the command.

use core::{
    error::Error,
    fmt, //
};

use super::{
    filesystem::SuperblockError,
    seal::SealError, //
};

/// Shows the problem in words that follow "the image".
impl fmt::Display for SuperblockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuperblock => f.write_str("ends before its superblock does"),
            Self::Version { major, minor } => {
                write!(
                    f,
                    "has format version {major}.{minor}, which is not supported"
                )
            }
            Self::BlockBits(bits) => {
                write!(
                    f,
                    "has a block size of 2^{bits} bytes, which is not supported"
                )
            }
            Self::BlockSize(size) => {
                write!(
                    f,
                    "has a block size of {size} bytes, which is not supported"
                )
            }
            Self::Compression(number) => write!(f, "has unknown compression {number}"),
            Self::ChecksumType(number) => write!(f, "has unknown checksum type {number}"),
            Self::Checksum { stored, computed } => write!(
                f,
                "has superblock checksum {stored:#x}, but its bytes amount to {computed:#x}"
            ),
            Self::Size { blocks } => write!(f, "states an impossible size of {blocks} blocks"),
            Self::Bytes { bytes } => write!(f, "states an impossible size of {bytes} bytes"),
            Self::Truncated { need, have } => {
                write!(f, "is truncated: {have} of {need} bytes are there")
            }
            Self::Table(at) => write!(f, "has a table at {at:#x}, outside of it"),
            Self::Address(at) => write!(f, "has a superblock that belongs at {at:#x}"),
            Self::Devices(count) => write!(f, "is one of {count} devices"),
            Self::DeviceSize { device, total } => {
                write!(f, "has {total} bytes on a device of {device}")
            }
            Self::Unfinished => f.write_str("was left by a tool in the middle of a change"),
            Self::JournalDevice => f.write_str("is another filesystem's journal"),
            Self::ExternalJournal => f.write_str("has its journal on another device"),
            Self::Recovery => f.write_str("was not unmounted: its journal is needed"),
        }
    }
}

impl Error for SuperblockError {}

/// Shows the problem in words that follow "the trailer".
impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { need, have } => {
                write!(f, "is truncated: {have} of {need} bytes are there")
            }
            Self::Version(version) => write!(f, "has format version {version}, not 1"),
            Self::DescriptorVersion(version) => {
                write!(f, "has a descriptor of version {version}, not 1")
            }
            Self::Algorithm(number) => {
                write!(
                    f,
                    "has hash algorithm {number}, which is neither SHA-256 nor SHA-512"
                )
            }
            Self::BlockBits(bits) => {
                write!(f, "has a tree with blocks of 2^{bits} bytes, not 2^12")
            }
            Self::DataLen(len) => write!(f, "is that of another image, of {len} bytes"),
            Self::Sizes => f.write_str("states sizes that do not add up"),
            Self::Reserved => f.write_str("has reserved bits set"),
        }
    }
}

impl Error for SealError {}
