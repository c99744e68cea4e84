// SPDX-License-Identifier: GPL-2.0-only

//! The grammar of the `initoverlayfs=` boot parameter.
//!
//! A comma-separated list, as `Documentation/kernel-parameters.txt` describes it. Pure:
//! no kernel calls, no allocation, the same file compiled by the kernel and by `cargo test`.

use crate::initrd::{
    digest::{
        Algorithm,
        Digest, //
    },
    filesystem::{
        Filesystem,
        Filesystems, //
    }, //
};

/// The conditions on which an image in the initrd is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Use an image if there is one. If it cannot be mounted, go on without the initrd.
    #[default]
    Auto,
    /// Anything short of a mounted root is a panic.
    Require,
    /// Never look.
    Off,
}

/// The treatment of archives where images have to be authentic: nothing authenticates archives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnsignedCpio {
    /// Leave them out.
    #[default]
    Ignore,
    /// Unpack them all the same.
    Allow,
}

/// The conditions for mounting an image. By default there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy<'a> {
    /// The fs-verity digests of the images, in their order.
    pub digests: Option<Digests<'a>>,
    /// A signature by a key that the kernel trusts.
    pub signature: bool,
    /// Something was asked for that could not be understood: no image is good enough.
    pub is_malformed: bool,
    /// The treatment of archives.
    pub unsigned_cpio: UnsignedCpio,
}

impl Policy<'_> {
    /// Returns whether images have to be authentic.
    pub fn is_set(&self) -> bool {
        self.digests.is_some() || self.signature || self.is_malformed
    }
}

/// A list of digests: `sha256:` or `sha512:`, and hexadecimal digits with colons in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests<'a> {
    algorithm: Algorithm,
    hex: &'a [u8],
}

impl<'a> Digests<'a> {
    /// Reads a list, which is not empty.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let find = |algorithm: &Algorithm| {
            let hex = text.strip_prefix(algorithm.name().as_bytes())?;
            Some((*algorithm, hex.strip_prefix(b":")?))
        };
        let (algorithm, hex) = Algorithm::ALL.iter().find_map(find)?;
        let digests = Self { algorithm, hex };
        digests
            .items()
            .all(|item| item.is_some())
            .then_some(digests)
    }

    fn items(&self) -> impl Iterator<Item = Option<Digest>> + 'a {
        let algorithm = self.algorithm;
        self.hex
            .split(|byte| *byte == b':')
            .map(move |hex| Digest::from_hex(algorithm, hex))
    }

    /// Returns the digests, in order.
    pub fn iter(&self) -> impl Iterator<Item = Digest> + 'a {
        self.items().flatten()
    }
}

/// The part that the image plays in the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Root {
    /// The lower layer of an overlay, whose upper one is a tmpfs.
    #[default]
    Overlay,
    /// The root itself, without tmpfs and overlay; it cannot be written to.
    ReadOnly,
    /// The root itself, without tmpfs and overlay; what is written changes the image in memory.
    /// For btrfs only.
    ReadWrite,
}

/// The options of the boot parameter. The later of two contradicting options wins, except that a
/// second, different list of digests makes the policy malformed. `fstype=` adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// The conditions on which the image is used.
    pub mode: Mode,
    /// The size of the tmpfs in its own syntax, digits with an optional unit; [`None`] for that of
    /// the root that an archive would be unpacked into.
    pub size: Option<&'a str>,
    /// The part that the image plays in the root.
    pub root: Root,
    /// The filesystems whose images are taken; all of them, as long as none was asked for.
    pub filesystems: Filesystems,
    /// The subvolume of a btrfs image to mount, never empty; [`None`] for the image's default one.
    pub subvol: Option<&'a [u8]>,
    /// Keep the initrd's memory and show it in `/sys/firmware/initrd`.
    pub retain: bool,
    /// The conditions for mounting an image.
    pub policy: Policy<'a>,
    /// Set if some filesystem was asked for, even one that does not exist.
    pub is_restricted: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            size: None,
            root: Root::default(),
            filesystems: Filesystems::ALL,
            subvol: None,
            retain: false,
            policy: Policy::default(),
            is_restricted: false,
        }
    }
}

/// A bad option, with its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadOption<'a> {
    /// There is no such option.
    Unknown(&'a [u8]),
    /// `size=` without a size that tmpfs would take.
    Size(&'a [u8]),
    /// `verify=` or `unsigned-cpio=` with an unknown value, or a second, different list of digests.
    /// No image is good enough then.
    Policy(&'a [u8]),
    /// `fstype=` without the name of a filesystem.
    Filesystem(&'a [u8]),
    /// `subvol=` with an invalid name.
    Subvolume(&'a [u8]),
}

impl<'a> Options<'a> {
    /// Applies one comma-separated `list` on top of what is set, and hands each bad option to
    /// `report`. An empty list changes nothing.
    pub fn apply(&mut self, list: &'a [u8], mut report: impl FnMut(BadOption<'a>)) {
        if list.is_empty() {
            return;
        }
        for option in list.split(|byte| *byte == b',') {
            if let Err(bad) = self.set(option) {
                report(bad);
            }
        }
    }

    fn set(&mut self, option: &'a [u8]) -> Result<(), BadOption<'a>> {
        match option {
            b"auto" => self.mode = Mode::Auto,
            b"require" => self.mode = Mode::Require,
            b"off" => self.mode = Mode::Off,
            b"ro" => self.root = Root::ReadOnly,
            b"rw" => self.root = Root::ReadWrite,
            b"retain" => self.retain = true,
            b"verify=signature" => self.policy.signature = true,
            b"unsigned-cpio=ignore" => self.policy.unsigned_cpio = UnsignedCpio::Ignore,
            b"unsigned-cpio=allow" => self.policy.unsigned_cpio = UnsignedCpio::Allow,
            _ => self.set_value(option)?,
        }
        Ok(())
    }

    /// Sets an option whose value is not one of a few words.
    fn set_value(&mut self, option: &'a [u8]) -> Result<(), BadOption<'a>> {
        if let Some(size) = option.strip_prefix(b"size=") {
            self.size = Some(tmpfs_size(size).ok_or(BadOption::Size(option))?);
            return Ok(());
        }
        if let Some(name) = option.strip_prefix(b"subvol=") {
            let is_name = !name.is_empty() && !name.contains(&0);
            self.subvol = Some(
                is_name
                    .then_some(name)
                    .ok_or(BadOption::Subvolume(option))?,
            );
            return Ok(());
        }
        if let Some(rest) = option.strip_prefix(b"fstype") {
            let named = rest.strip_prefix(b"=").and_then(Filesystem::from_name);
            return self.restrict_to(named).ok_or(BadOption::Filesystem(option));
        }
        let digests = option.strip_prefix(b"verify=").and_then(Digests::parse);
        // Another list contradicts the first one.
        if digests.is_some()
            && self
                .policy
                .digests
                .is_none_or(|first| Some(first) == digests)
        {
            self.policy.digests = digests;
            return Ok(());
        }
        let is_policy = [&b"verify"[..], b"unsigned-cpio"];
        if is_policy.iter().any(|name| option.starts_with(name)) {
            self.policy.is_malformed = true;
            return Err(BadOption::Policy(option));
        }
        Err(BadOption::Unknown(option))
    }

    /// Takes images of this filesystem only, and of those named before. An unknown name adds
    /// nothing, but still restricts, so that a typing error admits no other image.
    fn restrict_to(&mut self, named: Option<Filesystem>) -> Option<()> {
        if !self.is_restricted {
            self.is_restricted = true;
            self.filesystems = Filesystems::NONE;
        }
        self.filesystems = self.filesystems.with(named?);
        Some(())
    }
}

/// The largest page, which tmpfs rounds sizes up to.
const MAX_PAGE: u64 = 0x1_0000;

/// Checks a size: decimal digits, then nothing, `%`, or one of tmpfs's units from `k` to `e`.
///
/// The number of bytes, rounded up to pages, must fit 64 bits, as tmpfs takes an overflow for 0 and
/// 0 for "no limit". A leading zero is refused: tmpfs takes it for the sign of an octal number.
fn tmpfs_size(text: &[u8]) -> Option<&str> {
    let (last, rest) = text.split_last()?;
    let (digits, shift) = match last.to_ascii_lowercase() {
        b'%' => (rest, 0),
        b'k' => (rest, 10),
        b'm' => (rest, 20),
        b'g' => (rest, 30),
        b't' => (rest, 40),
        b'p' => (rest, 50),
        b'e' => (rest, 60),
        _ => (text, 0u32),
    };
    if digits.first().is_none_or(|digit| *digit == b'0') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    let most = match last {
        b'%' => 100,
        _ => (u64::MAX - MAX_PAGE) >> shift,
    };
    if number > most {
        return None;
    }
    core::str::from_utf8(text).ok()
}
