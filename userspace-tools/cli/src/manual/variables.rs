// SPDX-License-Identifier: GPL-2.0-only

//! The variables of the environment that commands read.

/// Variables of the environment, except those that name programs.
pub const VARIABLES: &[(&str, &str)] = &[
    (
        "INITOVERLAYFS_HANDOVER",
        "The program that replaces tools which cannot hand over from this \
         root, or a directory of such programs, called handover-MACHINE; else \
         those that were installed.",
    ),
    (
        "PKCS11_PROVIDER_MODULE",
        "The library of a token that holds the key, for OpenSSL's pkcs11 \
         provider; else that of its configuration.",
    ),
    (
        "SOURCE_DATE_EPOCH",
        "The time that the image states for its making, in seconds since \
         1970; else 0.",
    ),
    (
        "TMPDIR",
        "Where files go that are needed on the way; else /tmp.",
    ),
];

/// The variables that commands read which look into images.
pub const READING: &[&str] = &[
    "BTRFS",
    "E2FS_DEBUGFS",
    "FAKEROOT",
    "FSCK_EROFS",
    "TMPDIR",
    "UNSQUASHFS",
];

/// The variables that commands read which make images.
pub const MAKING: &[&str] = &[
    "E2FS_DEBUGFS",
    "FAKEROOT",
    "INITOVERLAYFS_HANDOVER",
    "MATCHPATHCON",
    "MKE2FS",
    "MKFS_BTRFS",
    "MKFS_EROFS",
    "MKSQUASHFS",
    "PKCS11_PROVIDER_MODULE",
    "RESIZE2FS",
    "SETFATTR",
    "SOURCE_DATE_EPOCH",
    "TMPDIR",
];
