// SPDX-License-Identifier: GPL-2.0-only

//! Judging whether a kernel is configured for an initrd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use initoverlayfs_core::initrd::filesystem::Filesystem;
use initoverlayfs_image::compression::Method;
use initoverlayfs_image::kernel_decompressors::Demand;

use crate::describe::description::{Content, Sealed, Segment, View};
use crate::terminal::files::read;

/// Returns the running kernel's configuration, and where it was found: where the kernel shows it, or where
/// distributions put it.
pub fn running() -> Option<(PathBuf, String)> {
    running_in(Path::new("/"))
}

/// Returns the same for a system with this root directory.
pub fn running_in(root: &Path) -> Option<(PathBuf, String)> {
    let release = std::fs::read_to_string(root.join("proc/sys/kernel/osrelease")).ok()?;
    let release = release.trim();
    let modules = root.join("lib/modules").join(release);
    let places = [
        root.join("proc/config.gz"),
        root.join(format!("boot/config-{release}")),
        modules.join("config"),
        modules.join("build/.config"),
    ];
    places
        .into_iter()
        .find_map(|path| configuration(&path).ok().map(|text| (path, text)))
}

/// Reads a kernel's configuration, compressed or not: `/proc/config.gz` will do.
pub fn configuration(path: &Path) -> Result<String> {
    let bytes = read(path)?;
    let bytes = match Method::of(&bytes) {
        Some(method) => method.decompress(&bytes)?.0,
        None => bytes,
    };
    let text = String::from_utf8(bytes).ok();
    let text = text.filter(|text| text.lines().any(|line| line.contains("CONFIG_")));
    text.context("this is no configuration of a kernel")
}

/// Why a kernel without support for extended attributes will not do.
const NO_XATTRS: &str = "extended attributes, file capabilities among them, are not seen";

/// Why a kernel without support for security attributes will not do.
const NO_SECURITY: &str = "file capabilities and labels are not seen";

/// The cure where a kernel lacks an image's algorithm.
const OTHER_COMPRESSION: &str = "make the image with another --compression";

/// The cure where a kernel lacks an archive's algorithm.
const OTHER_ARCHIVE: &str = "compress the archive otherwise";

/// An option that the kernel has to have.
struct Wanted {
    option: String,
    /// The reason.
    why: String,
    /// Another cure than to build the kernel with it; empty if there is none.
    or: &'static str,
}

impl Wanted {
    fn new(option: &str, why: &str, or: &'static str) -> Self {
        let (option, why) = (option.to_owned(), why.to_owned());
        Self { option, why, or }
    }

    /// Returns the problem that a kernel without the option has, with its cure.
    fn problem(&self) -> String {
        let Self { option, why, or } = self;
        let or = match *or {
            "" => String::new(),
            or => format!(", or {or}"),
        };
        format!("the kernel has no CONFIG_{option}=y, and {why}: build it with that{or}")
    }
}

/// The extended attributes of an initrd's files.
#[derive(Clone, Copy, Default)]
pub struct Attributes {
    /// Set if there is any.
    pub any: bool,
    /// Set if one is a file capability, a label or the like: `security.*`.
    pub security: bool,
}

/// A kernel's configuration.
pub struct Kernel<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Kernel<'a> {
    /// Reads the options of a configuration.
    pub fn of(text: &'a str) -> Self {
        let options = text
            .lines()
            .filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('='));
        Self(options.collect())
    }

    /// Tells whether an option is set, and built in.
    pub fn has(&self, option: &str) -> bool {
        self.0.get(option) == Some(&"y")
    }

    /// Returns a line for each thing that is missing.
    pub fn problems(&self, view: &View, attributes: Attributes) -> Vec<String> {
        let nothing = "nothing is mounted in place";
        let mut wanted = vec![
            Wanted::new("INITOVERLAYFS", nothing, ""),
            Wanted::new("OVERLAY_FS", nothing, ""),
        ];
        let has_other = view.segments.iter().any(|s| s.content.other().is_some());
        let has_erofs = view
            .segments
            .iter()
            .any(|s| matches!(s.content, Content::Erofs(_)));
        if has_erofs || !has_other {
            wanted.push(Wanted::new("EROFS_FS", nothing, ""));
        }
        if has_erofs && attributes.any {
            wanted.push(Wanted::new("EROFS_FS_XATTR", NO_XATTRS, ""));
        }
        if has_erofs && attributes.security {
            wanted.push(Wanted::new("EROFS_FS_SECURITY", NO_SECURITY, ""));
        }
        if view.bootconfig.is_some() {
            let why = "the bootconfig at the end is taken for a part of the initrd";
            wanted.push(Wanted::new("BOOT_CONFIG", why, "remove the bootconfig"));
        }
        let mut problems = Vec::new();
        for segment in &view.segments {
            let at = segment.offset;
            let is_signed = |seal: &Sealed| seal.signature > 0;
            if self.has("INITOVERLAYFS_REQUIRE_SIGNATURE")
                && segment.content.is_image()
                && !segment.content.seal().is_some_and(is_signed)
            {
                problems.push(format!(
                    "the image at {at:#x} is not signed, and the kernel is built to refuse such: sign it with `initoverlayfs sign`"
                ));
            }
            match &segment.content {
                Content::Erofs(image) => {
                    for algorithm in &image.compression {
                        let option = match *algorithm {
                            "lz4" => "EROFS_FS_ZIP".to_owned(),
                            other => format!("EROFS_FS_ZIP_{}", other.to_uppercase()),
                        };
                        let why = format!("the image at {at:#x} uses {algorithm}");
                        wanted.push(Wanted::new(&option, &why, OTHER_COMPRESSION));
                    }
                    if image.block_size > self.page_size() {
                        problems.push(format!(
                            "the image at {at:#x} has blocks of {} bytes, the kernel pages of {}: make the image with smaller blocks",
                            image.block_size,
                            self.page_size()
                        ));
                    }
                    if image.unknown_features != 0 {
                        problems.push(format!(
                            "the image at {at:#x} has features {:#x} that are not known here: use a newer initoverlayfs, or an older mkfs.erofs",
                            image.unknown_features
                        ));
                    }
                }
                Content::Cpio { archives } => {
                    for archive in archives.iter().filter(|archive| !archive.early) {
                        let name = archive.compression.as_deref();
                        if let Some(method) = name.and_then(method_of) {
                            let why = format!("the archive at {:#x} uses {method}", archive.offset);
                            wanted.push(Wanted::new(method.kernel_option(), &why, OTHER_ARCHIVE));
                        }
                        for demand in &archive.demands {
                            if let Demand::Option(option) = demand {
                                let why = format!("the archive at {:#x} uses it", archive.offset);
                                wanted.push(Wanted::new(option, &why, OTHER_ARCHIVE));
                            }
                        }
                    }
                }
                Content::Btrfs(_) | Content::Squashfs(_) | Content::Ext4(_) => {
                    let (more, words) = self.other(segment, attributes.any);
                    wanted.extend(more);
                    problems.extend(words);
                }
                Content::Unknown => {}
            }
        }
        let missing = wanted.iter().filter(|wanted| !self.has(&wanted.option));
        problems.extend(missing.map(Wanted::problem));
        problems
    }

    /// Returns what an image of another filesystem than EROFS wants, and what is wrong with it for this kernel.
    fn other(&self, segment: &Segment, has_xattrs: bool) -> (Vec<Wanted>, Vec<String>) {
        let (mut wanted, mut problems) = (Vec::new(), Vec::new());
        let at = segment.offset;
        let Some((filesystem, image)) = segment.content.other() else {
            return (wanted, problems);
        };
        let why = format!("the image at {at:#x} is one of {}", filesystem.name());
        let options = ["INITOVERLAYFS_BLOCK", driver(filesystem)];
        wanted.extend(options.map(|option| Wanted::new(option, &why, "make an EROFS image")));
        if filesystem == Filesystem::Squashfs {
            if has_xattrs {
                wanted.push(Wanted::new("SQUASHFS_XATTR", NO_XATTRS, ""));
            }
            for algorithm in &image.compression {
                match decompressor(algorithm) {
                    Some(option) => {
                        let why = format!("the image at {at:#x} uses {algorithm}");
                        wanted.push(Wanted::new(option, &why, OTHER_COMPRESSION));
                    }
                    None => problems.push(format!(
                        "the image at {at:#x} uses {algorithm}, which no kernel has for squashfs: {OTHER_COMPRESSION}"
                    )),
                }
            }
        } else if image.block_size > usize::try_from(self.page_size()).unwrap_or(usize::MAX) {
            problems.push(format!(
                "the image at {at:#x} has blocks of {} bytes, the kernel pages of {}: make the image with smaller blocks",
                image.block_size,
                self.page_size()
            ));
        }
        (wanted, problems)
    }

    /// Bytes in a page.
    fn page_size(&self) -> u64 {
        let large = [("ARM64_64K_PAGES", 64 << 10), ("ARM64_16K_PAGES", 16 << 10)];
        let found = large.iter().find(|(option, _)| self.has(option));
        found.map_or(4096, |(_, size)| *size)
    }
}

/// Returns the symbol of a filesystem's driver.
fn driver(filesystem: Filesystem) -> &'static str {
    match filesystem {
        Filesystem::Erofs => "EROFS_FS",
        Filesystem::Btrfs => "BTRFS_FS",
        Filesystem::Squashfs => "SQUASHFS",
        Filesystem::Ext4 => "EXT4_FS",
    }
}

/// Returns the symbol of what decompresses squashfs; btrfs brings all that it has.
fn decompressor(algorithm: &str) -> Option<&'static str> {
    match algorithm {
        "gzip" => Some("SQUASHFS_ZLIB"),
        "lz4" => Some("SQUASHFS_LZ4"),
        "lzo" => Some("SQUASHFS_LZO"),
        "xz" => Some("SQUASHFS_XZ"),
        "zstd" => Some("SQUASHFS_ZSTD"),
        _ => None,
    }
}

fn method_of(name: &str) -> Option<Method> {
    use Method::{Bzip2, Gzip, Lz4, Lzma, Lzo, Xz, Zstd};
    [Gzip, Bzip2, Lzma, Xz, Lzo, Lz4, Zstd]
        .into_iter()
        .find(|method| method.to_string() == name)
}
