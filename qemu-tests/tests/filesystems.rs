// SPDX-License-Identifier: GPL-2.0-only
//! Images of btrfs, squashfs and ext4: each is the lower filesystem, on a block device that goes with it.

use std::fs;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::filesystem::{self, Filesystem};
use qemu_tests::fixtures::seal::{Sealed, BLOCK};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::fixtures::{disk, erofs};
use qemu_tests::machine::{Boot, Machine};
use qemu_tests::report::Section;
use qemu_tests::scenario::{refused, usual_bytes, with_empty_archive, with_fallback};
use qemu_tests::summary::Summary;
use qemu_tests::tools;

/// The device of the first image.
const DEVICE: &str = "initoverlayfs0";

/// Returns the standard tree in an image made with these arguments.
fn standard(filesystem: Filesystem, arguments: &[&str]) -> Result<Vec<u8>> {
    Ok(fs::read(filesystem::image(filesystem, &Tree::standard()?, arguments)?)?)
}

/// Boots it under `require` with one more option.
fn boot(initrd: Vec<u8>, option: &str, orders: &str) -> Result<Boot> {
    let parameter = format!("initoverlayfs=require,{option}");
    Machine::new().initrd_bytes(initrd).append(parameter.trim_end_matches(',')).orders(orders).run()
}

/// Boots the standard tree: every byte reads as it was made, and the device is there.
fn check(filesystem: Filesystem, arguments: &[&str]) -> Result<()> {
    let boot = boot(standard(filesystem, arguments)?, "", "tree")?;
    let found = boot.report.first()?;
    assert_eq!(Summary::new(found, &Tree::standard()?)?, Summary::in_place());
    assert_eq!(
        found.all("block").into_iter().filter(|n| *n != "ram0").collect::<Vec<_>>(),
        [DEVICE]
    );
    Ok(())
}

/// Boots with a policy or a restriction that the image does not meet: see [`refused`].
fn check_refused(initrd: Vec<u8>, options: &str, words: &str) -> Result<()> {
    let boot = refused(initrd, options, words)?;
    ensure!(!boot.report.first()?.all("block").contains(&DEVICE), "the device is still there");
    Ok(())
}

#[test]
fn btrfs_boots_in_place() -> Result<()> {
    check(Filesystem::Btrfs, &[])
}

#[test]
fn btrfs_compressed_by_zlib_boots_in_place() -> Result<()> {
    check(Filesystem::Btrfs, &["--compress", "zlib"])
}

#[test]
fn btrfs_compressed_by_lzo_boots_in_place() -> Result<()> {
    check(Filesystem::Btrfs, &["--compress", "lzo"])
}

#[test]
fn btrfs_compressed_by_zstd_boots_in_place() -> Result<()> {
    check(Filesystem::Btrfs, &["--compress", "zstd"])
}

#[test]
fn btrfs_with_xxhash_boots_in_place() -> Result<()> {
    check(Filesystem::Btrfs, &["--checksum", "xxhash"])
}

#[test]
fn btrfs_with_sha256_boots_in_place() -> Result<()> {
    check(Filesystem::Btrfs, &["--checksum", "sha256"])
}

#[test]
fn btrfs_with_blake2_boots_in_place() -> Result<()> {
    check(Filesystem::Btrfs, &["--checksum", "blake2"])
}

#[test]
fn squashfs_compressed_by_gzip_boots_in_place() -> Result<()> {
    check(Filesystem::Squashfs, &["-comp", "gzip"])
}

#[test]
fn squashfs_compressed_by_lz4_boots_in_place() -> Result<()> {
    check(Filesystem::Squashfs, &["-comp", "lz4", "-Xhc"])
}

#[test]
fn squashfs_compressed_by_lzo_boots_in_place() -> Result<()> {
    check(Filesystem::Squashfs, &["-comp", "lzo"])
}

#[test]
fn squashfs_compressed_by_xz_boots_in_place() -> Result<()> {
    check(Filesystem::Squashfs, &["-comp", "xz"])
}

#[test]
fn squashfs_compressed_by_zstd_boots_in_place() -> Result<()> {
    check(Filesystem::Squashfs, &["-comp", "zstd", "-b", "1M"])
}

#[test]
fn uncompressed_squashfs_boots_in_place() -> Result<()> {
    check(Filesystem::Squashfs, &["-noI", "-noD", "-noF", "-noX", "-nopad"])
}

#[test]
fn ext4_boots_in_place() -> Result<()> {
    check(Filesystem::Ext4, &["-b4096"])
}

#[test]
fn ext4_with_blocks_of_1024_bytes_boots_in_place() -> Result<()> {
    check(Filesystem::Ext4, &["-b1024"])
}

#[test]
fn ext2_boots_in_place() -> Result<()> {
    check(Filesystem::Ext4, &["-O^extent,^64bit,^metadata_csum,^flex_bg"])
}

#[test]
fn images_at_any_alignment_boot_in_place() -> Result<()> {
    for (padding, filesystem) in [4, 517, 4093].into_iter().zip(Filesystem::ALL) {
        let initrd = [vec![0; padding], standard(filesystem, &[])?].concat();
        let boot = boot(initrd, "", "tree")?;
        let found = Summary::new(boot.report.first()?, &Tree::standard()?)?;
        assert_eq!(found, Summary::in_place(), "{filesystem:?}");
    }
    Ok(())
}

#[test]
fn image_itself_is_the_root_with_ro() -> Result<()> {
    let tree = Tree::with_dev()?;
    for filesystem in Filesystem::ALL {
        let image = fs::read(filesystem::image(filesystem, &tree, &[])?)?;
        let boot = boot(image, "ro", "tree,write")?;
        let found = boot.report.first()?;
        let expected = Summary {
            mounts: vec![format!("{} /", filesystem.name()), "devtmpfs /dev".to_owned()],
            additions: Vec::new(),
            ..Summary::in_place()
        };
        assert_eq!(Summary::new(found, &tree)?, expected);
        assert_eq!(found.get("root.magic")?, filesystem.magic());
        let read_only = "create Read-only file system (os error 30)";
        assert!(found.all("write").contains(&read_only), "{:?}", found.all("write"));
    }
    Ok(())
}

/// Returns a btrfs of the tree with a `/dev`, with room to write.
fn writable() -> Result<Vec<u8>> {
    let image =
        filesystem::image(Filesystem::Btrfs, &Tree::with_dev()?, &["--byte-count", "128M"])?;
    Ok(fs::read(image)?)
}

/// Returns what the init of [`writable`] must find with `rw`.
fn check_writable(found: &Section) -> Result<()> {
    let expected = Summary {
        mounts: vec!["btrfs /".to_owned(), "devtmpfs /dev".to_owned()],
        additions: Vec::new(),
        ..Summary::in_place()
    };
    assert_eq!(Summary::new(found, &Tree::with_dev()?)?, expected);
    assert_eq!(found.get("root.magic")?, Filesystem::Btrfs.magic());
    let failed: Vec<_> = found.all("write").into_iter().filter(|l| !l.ends_with(" ok")).collect();
    assert_eq!(failed, [""; 0]);
    assert_eq!(found.all("write").len(), 9);
    Ok(())
}

#[test]
fn btrfs_is_written_to_in_place_with_rw() -> Result<()> {
    check_writable(boot(writable()?, "rw", "tree,write")?.report.first()?)
}

#[test]
fn btrfs_that_is_authentic_is_written_to_in_place() -> Result<()> {
    let sealed = Sealed::new(&writable()?, &[])?;
    let option = format!("rw,verify={}", sealed.digest()?);
    check_writable(boot(sealed.bytes, &option, "tree,write")?.report.first()?)
}

#[test]
fn btrfs_that_was_tampered_with_anywhere_is_not_writable() -> Result<()> {
    let sealed = Sealed::new(&writable()?, &[])?;
    let option = format!("rw,verify={}", sealed.digest()?);
    let last = sealed.trailer - 1;
    check_refused(sealed.flip(last).bytes, &option, "mounting btrfs (layer 0) failed: error -5")
}

#[test]
fn nothing_but_btrfs_is_writable() -> Result<()> {
    for filesystem in [Filesystem::Squashfs, Filesystem::Ext4] {
        let words = format!("mounting {} (layer 0) failed: error -30", filesystem.name());
        check_refused(standard(filesystem, &[])?, "rw", &words)?;
    }
    check_refused(usual_bytes()?, "rw", "mounting EROFS (layer 0) failed: error -30")
}

#[test]
fn subvolume_is_the_root_if_asked_for() -> Result<()> {
    let tree = Tree::standard()?;
    let nested = Tree::filled("subvolume", &[&tree.id()], |root| {
        let mut copy = Command::new("cp");
        tools::run(copy.arg("-a").arg(&tree.root).arg(root.join("sub"))).map(drop)
    })?;
    let image = filesystem::image(Filesystem::Btrfs, &nested, &["--subvol", "rw:sub"])?;
    let image = fs::read(image)?;
    let whole = boot(image.clone(), "", "report")?;
    assert!(whole.report.first()?.all("root.name").contains(&"sub"));
    let boot = boot(image.clone(), "subvol=sub", "tree")?;
    assert_eq!(Summary::new(boot.report.first()?, &tree)?, Summary::in_place());
    check_refused(image, "subvol=nosuch", "mounting btrfs (layer 0) failed: error -2")
}

#[test]
fn kinds_can_be_restricted() -> Result<()> {
    for filesystem in Filesystem::ALL {
        let image = standard(filesystem, &[])?;
        let own = format!("fstype=erofs,fstype={}", filesystem.name());
        let boot = boot(image.clone(), &own, "tree")?;
        let found = Summary::new(boot.report.first()?, &Tree::standard()?)?;
        assert_eq!(found, Summary::in_place(), "{filesystem:?}");
        check_refused(image, "fstype=erofs", "the initrd holds no image")?;
    }
    Ok(())
}

#[test]
fn unknown_kind_is_no_licence_for_others() -> Result<()> {
    let image = standard(Filesystem::Btrfs, &[])?;
    let machine = with_fallback(image)?.append("initoverlayfs=fstype=erofs,fstype=vfat");
    let found = Summary::new(machine.run()?.report.first()?, &Tree::disk()?)?;
    assert_eq!(Summary { milestones: Vec::new(), ..found }, Summary::disk());
    Ok(())
}

/// Boots an image and switches to the disk; the device must be gone then, and its memory back.
fn check_released(initrd: Vec<u8>, option: &str) -> Result<()> {
    let padding = "x".repeat(32 - option.len());
    let parameter = format!("initoverlayfs=require{option} probe.pad={padding}");
    let machine = Machine::new().whole_pages(initrd).root_disk(disk::image()?);
    let boot = machine.append(&parameter).orders("tree,settle,switch_root").run()?;
    let first = boot.report.first()?;
    ensure!(first.get("argv0")? == "/init" && first.all("block").contains(&DEVICE), "no image");
    let last = boot.report.last()?;
    ensure!(last.get("argv0")? == "/sbin/init", "the last init is not the disk's");
    ensure!(!last.all("block").contains(&DEVICE), "{:?}", last.all("block"));
    let managed = |found: &Section| found.number("memory.MemTotal");
    let stock = with_empty_archive().root_disk(disk::image()?);
    let stock = stock.append(&parameter.replace("require", "off")).orders("settle").run()?;
    // A large initrd may even move what the early boot reserves, and leave more.
    let (after, stock) = (managed(last)?, managed(stock.report.last()?)?);
    ensure!(after >= stock, "{after} kB after the switch, {stock} kB after a stock boot");
    // As after a stock boot: the limits of every tmpfs follow from it.
    assert_eq!(managed(first)?, managed(last)?);
    Ok(())
}

#[test]
fn btrfs_and_its_device_are_gone_after_switching_root() -> Result<()> {
    check_released(standard(Filesystem::Btrfs, &[])?, "")
}

#[test]
fn squashfs_and_its_device_are_gone_after_switching_root() -> Result<()> {
    check_released(standard(Filesystem::Squashfs, &[])?, "")
}

#[test]
fn ext4_and_its_device_are_gone_after_switching_root() -> Result<()> {
    check_released(standard(Filesystem::Ext4, &[])?, "")
}

#[test]
fn btrfs_that_was_written_to_is_gone_after_switching_root() -> Result<()> {
    check_released(writable()?, ",rw")
}

#[test]
fn broken_superblocks_fall_back() -> Result<()> {
    let tree = Tree::standard()?;
    for (filesystem, at, words) in [
        (Filesystem::Btrfs, 0x50, "checksum"),
        (Filesystem::Ext4, 0x68, "checksum"),
        (Filesystem::Squashfs, 0x1c, "version"),
        (Filesystem::Squashfs, 0x2e, "truncated"),
    ] {
        let image = filesystem::image(filesystem, &tree, &[])?;
        check_refused(filesystem::with_flip(filesystem, &image, at)?, "", words)
            .with_context(|| format!("{filesystem:?} at {at:#x}"))?;
    }
    Ok(())
}

#[test]
fn truncated_images_fall_back() -> Result<()> {
    for filesystem in Filesystem::ALL {
        let mut image = standard(filesystem, &[])?;
        image.truncate(image.len() / 2);
        check_refused(image, "", "truncated").with_context(|| format!("{filesystem:?}"))?;
    }
    Ok(())
}

#[test]
fn sealed_images_are_checked_as_they_are_read() -> Result<()> {
    for filesystem in Filesystem::ALL {
        let sealed = Sealed::new(&standard(filesystem, &[])?, &[])?;
        let option = format!("verify={}", sealed.digest()?);
        let boot = boot(sealed.bytes.clone(), &option, "tree")?;
        let found = Summary::new(boot.report.first()?, &Tree::standard()?)?;
        assert_eq!(found, Summary::in_place(), "{filesystem:?}");

        let words = format!("mounting {} (layer 0) failed: error -", filesystem.name());
        check_refused(tampered(sealed, filesystem).bytes, &option, &words)?;
    }
    Ok(())
}

/// Changes what the scan does not look at, which has no digest yet.
fn tampered(sealed: Sealed, filesystem: Filesystem) -> Sealed {
    if filesystem == Filesystem::Squashfs {
        // The number of fragments.
        return sealed.flip(0x10);
    }
    let behind = filesystem.superblock() / BLOCK + 1;
    let blocks = behind..sealed.trailer / BLOCK;
    blocks.fold(sealed, |sealed, block| sealed.flip(block * BLOCK))
}

#[test]
fn image_of_another_kind_beside_erofs_is_a_layer() -> Result<()> {
    let lower = standard(Filesystem::Btrfs, &[])?;
    let upper = fs::read(erofs::image(&Tree::probe_only()?, &[])?)?;
    let boot = boot([lower, upper].concat(), "", "report")?;
    let found = boot.report.first()?;
    ensure!(found.all("root.name").contains(&"data"), "{:?}", found.all("root.name"));
    ensure!(found.module_lines().iter().any(|line| line.contains("over 2 layers")), "layers");
    Ok(())
}
