// SPDX-License-Identifier: GPL-2.0-only
//! So little memory that the kernel has to drop what was read, and read it again.

use std::fs;
use std::path::PathBuf;

use anyhow::{ensure, Result};
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::filesystem::{self, Filesystem};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::summary::Summary;
use qemu_tests::tools;

/// MiB of the one large file, which does not compress, and of a btrfs with it, which has room.
const FILE_MIB: u32 = 128;
const BTRFS_MIB: u32 = 208;

/// Returns a tree with that file, and with the directory that a root without an overlay needs.
fn tree() -> Result<Tree> {
    Tree::filled("pressure", &["2"], |root| {
        let mut content = vec![0; (FILE_MIB as usize) << 20];
        fastrand::Rng::with_seed(1).fill(&mut content);
        fs::create_dir(root.join("dev"))?;
        Ok(fs::write(root.join("large"), content)?)
    })
}

/// Returns so much memory in MiB that an image of this size fits, but not all of its file beside it. The debug kernel
/// needs so much more that the file may fit there.
fn memory(image_mib: u32) -> Result<u32> {
    let beside = if tools::kernel_has("CONFIG_KASAN")? {
        // It fills most of 300 MiB by itself, on arm64.
        384
    } else if cfg!(guest = "x86_64") {
        88
    } else {
        // arm64's emulator puts an initrd behind the first 128 MiB.
        140
    };
    Ok(image_mib + beside)
}

/// Boots. The init reads all, writes until nothing more fits, and reads all again, which is the same. Nobody is killed.
fn check(image: PathBuf, image_mib: u32, option: &str) -> Result<Section> {
    let machine = Machine::new().initrd(image).memory(memory(image_mib)?);
    let machine = machine.append(&format!("initoverlayfs=require{option}"));
    let boot = machine.orders("tree,fill,again").run()?;
    ensure!(!boot.console.has("Out of memory"), "{}", boot.console);
    let found = boot.report.first()?.clone();
    let mut again = found.all("again");
    again.retain(|line| !line.starts_with("probe-fill "));
    assert_eq!(found.all("entry"), again);
    assert_eq!(found.get("fill.end")?, "StorageFull");
    println!("{} kB, {} bytes written", found.get("memory.MemTotal")?, found.get("fill.bytes")?);
    Ok(found)
}

/// An overlay takes half of the memory that the image leaves.
#[test]
fn full_overlay_leaves_memory_to_read_the_image() -> Result<()> {
    let image = erofs::image(&tree()?, &[])?;
    let found = check(image, FILE_MIB, "")?;
    assert_eq!(Summary::new(&found, &tree()?)?.differences, [""; 0]);
    let rest = found.number("memory.MemTotal")? - u64::from(FILE_MIB) * 1024;
    let fits = rest >= u64::from(FILE_MIB) * 1024;
    ensure!(
        !fits || tools::kernel_has("CONFIG_KASAN")?,
        "{rest} kB beside the image hold the whole file"
    );
    let filled = found.number("fill.bytes")? / 1024;
    ensure!((rest / 3..=rest / 2).contains(&filled), "{filled} kB of {rest}");
    Ok(())
}

#[test]
fn full_btrfs_that_is_written_in_place_can_be_read() -> Result<()> {
    let size = format!("{BTRFS_MIB}M");
    let image = filesystem::image(Filesystem::Btrfs, &tree()?, &["--byte-count", &size])?;
    let found = check(image, BTRFS_MIB, ",rw")?;
    let filled = found.number("fill.bytes")? >> 20;
    ensure!(filled > 16, "{filled} MiB");
    Ok(())
}
