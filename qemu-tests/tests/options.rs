// SPDX-License-Identifier: GPL-2.0-only
//! The boot parameter `initoverlayfs=`.

use anyhow::{Context, Result};
use qemu_tests::fixtures::disk;
use qemu_tests::fixtures::erofs::{self, USUAL};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::machine::{Boot, Machine};
use qemu_tests::scenario::{classic, usual, usual_bytes};
use qemu_tests::summary::Summary;

/// What `statfs` says an EROFS is (`EROFS_SUPER_MAGIC_V1`).
const EROFS_MAGIC: &str = "e0f5e1e2";
/// What `statfs` says an overlay is (`OVERLAYFS_SUPER_MAGIC`).
const OVERLAY_MAGIC: &str = "794c7630";

/// Lines of the kernel log at level error, from the module.
fn errors(boot: &Boot) -> Result<Vec<&str>> {
    let lines = boot.report.first()?.all("kmsg");
    Ok(lines.into_iter().filter_map(|line| line.strip_prefix("3 ")).collect())
}

/// Sums up a boot of the standard tree.
fn summary(boot: &Boot) -> Result<Summary> {
    Summary::new(boot.report.first()?, &Tree::standard()?)
}

#[test]
fn root_takes_every_kind_of_write() -> Result<()> {
    let boot = usual()?.orders("write").run()?;
    let found = boot.report.first()?;
    let failed: Vec<_> = found.all("write").into_iter().filter(|l| !l.ends_with(" ok")).collect();
    assert_eq!(failed, [""; 0]);
    assert_eq!(found.all("write").len(), 9);
    assert_eq!(found.get("root.magic")?, OVERLAY_MAGIC);
    Ok(())
}

#[test]
fn no_block_device_appears() -> Result<()> {
    let boot = usual()?.run()?;
    let devices = boot.report.first()?.all("block");
    // The debug kernel has a ramdisk, which is always there.
    assert!(devices.iter().all(|name| *name == "ram0"), "{devices:?}");
    Ok(())
}

#[test]
fn auto_is_the_default() -> Result<()> {
    assert_eq!(summary(&usual()?.append("initoverlayfs=auto").run()?)?, Summary::in_place());
    assert_eq!(summary(&usual()?.run()?)?, Summary::in_place());
    Ok(())
}

#[test]
fn require_boots_a_good_image() -> Result<()> {
    let boot = usual()?.append("initoverlayfs=require").orders("tree").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    Ok(())
}

#[test]
fn require_panics_on_a_cpio_archive() -> Result<()> {
    let console = classic()?.append("initoverlayfs=require").run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("initoverlayfs: "), "{panic}");
    Ok(())
}

#[test]
fn require_panics_without_initrd() -> Result<()> {
    let machine = Machine::new().root_disk(disk::image()?).append("initoverlayfs=require");
    let console = machine.run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("initoverlayfs: "), "{panic}");
    Ok(())
}

#[test]
fn off_ignores_the_image_and_boots_the_disk() -> Result<()> {
    let boot = usual()?.root_disk(disk::image()?).append("initoverlayfs=off").run()?;
    let found = boot.report.first()?;
    assert_eq!(Summary::new(found, &Tree::disk()?)?, Summary::disk());
    Ok(())
}

#[test]
fn ro_makes_the_image_itself_the_root() -> Result<()> {
    let tree = Tree::with_dev()?;
    let machine = Machine::new().initrd(erofs::image(&tree, &USUAL)?);
    let boot = machine.append("initoverlayfs=ro").orders("tree,write").run()?;
    let found = boot.report.first()?;
    let expected = Summary {
        mounts: ["erofs /", "devtmpfs /dev"].map(str::to_owned).into(),
        additions: Vec::new(),
        ..Summary::in_place()
    };
    assert_eq!(Summary::new(found, &tree)?, expected);
    assert_eq!(found.get("root.magic")?, EROFS_MAGIC);
    let read_only = "Read-only file system (os error 30)";
    assert!(found.all("write").contains(&format!("create {read_only}").as_str()));
    Ok(())
}

#[test]
fn ro_takes_one_image() -> Result<()> {
    let initrd = [usual_bytes()?, usual_bytes()?].concat();
    let machine = Machine::new().initrd_bytes(initrd).append("initoverlayfs=require,ro");
    let console = machine.run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("ro and rw take one image, and there are 2"), "{panic}");
    Ok(())
}

/// Without `size=`, the root has the limits that the root of an archive has, whatever the command line
/// makes of these.
#[test]
fn size_is_that_of_an_unpacked_initramfs() -> Result<()> {
    for parameters in [
        "initramfs_options=size=48M,nr_inodes=9999",
        "root=/dev/vda",
        "root=/dev/vda rootfstype=tmpfs",
        "root=/dev/vda rootfstype=tmpfs initramfs_options=size=48M,nr_inodes=9999",
    ] {
        let limits = |machine: Machine| -> Result<[u64; 2]> {
            let boot = machine.append(parameters).run()?;
            let found = boot.report.first()?;
            Ok([found.number("root.size")?, found.number("root.inodes")?])
        };
        let (ours, stock) = (limits(usual()?)?, limits(classic()?)?);
        // Half of the memory is half of what the initrd leaves: it may be larger or smaller.
        let is_close = |(ours, stock): (&u64, &u64)| ours.abs_diff(*stock) <= stock / 100;
        assert!(ours.iter().zip(&stock).all(is_close), "{parameters}: {ours:?}, stock {stock:?}");
    }
    Ok(())
}

#[test]
fn size_in_bytes_limits_the_root() -> Result<()> {
    let boot = usual()?.append("initoverlayfs=size=64M").orders("fill").run()?;
    let found = boot.report.first()?;
    assert_eq!(found.number("root.size")?, 64 << 20);
    assert_eq!(found.get("fill.end")?, "StorageFull");
    let taken = found.number("fill.bytes")?;
    assert!((60 << 20..=64 << 20).contains(&taken), "{taken} bytes fit into 64 MiB");
    Ok(())
}

#[test]
fn size_in_percent_limits_the_root() -> Result<()> {
    let boot = usual()?.append("initoverlayfs=size=10%").orders("fill").run()?;
    let found = boot.report.first()?;
    let (size, total) = (found.number("root.size")?, found.number("memory.MemTotal")? << 10);
    assert!((total / 11..total / 9).contains(&size), "{size} is not 10% of {total}");
    assert_eq!(found.get("fill.end")?, "StorageFull");
    Ok(())
}

#[test]
fn options_combine() -> Result<()> {
    let boot = usual()?.append("initoverlayfs=require,size=32M,retain").orders("initrd").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    assert_eq!(boot.report.first()?.number("root.size")?, 32 << 20);
    assert_ne!(boot.report.first()?.get("initrd")?, "none");
    Ok(())
}

#[test]
fn unknown_option_is_named_and_ignored() -> Result<()> {
    let boot = usual()?.append("initoverlayfs=frobnicate,size=64M").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    assert_eq!(boot.report.first()?.number("root.size")?, 64 << 20);
    let errors = errors(&boot)?;
    assert!(errors.iter().any(|line| line.contains("frobnicate")), "{errors:?}");
    Ok(())
}

#[test]
fn malformed_size_is_named_and_ignored() -> Result<()> {
    let boot = usual()?.append("initoverlayfs=size=12parsecs").run()?;
    assert_eq!(summary(&boot)?, Summary::in_place());
    let errors = errors(&boot)?;
    assert!(errors.iter().any(|line| line.contains("12parsecs")), "{errors:?}");
    Ok(())
}

#[test]
fn require_panics_on_an_unknown_option() -> Result<()> {
    let console = usual()?.append("initoverlayfs=require,frobnicate").run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("initoverlayfs: ") && panic.contains("frobnicate"), "{panic}");
    Ok(())
}

#[test]
fn require_panics_on_a_malformed_size() -> Result<()> {
    let console = usual()?.append("initoverlayfs=require,size=12parsecs").run_to_panic()?;
    let panic = console.panic().context("no panic")?;
    assert!(panic.contains("initoverlayfs: ") && panic.contains("12parsecs"), "{panic}");
    Ok(())
}
