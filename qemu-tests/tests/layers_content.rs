// SPDX-License-Identifier: GPL-2.0-only
//! What the layers of an initrd may hold, and what becomes of it in the merged tree.

use anyhow::Result;
use qemu_tests::fixtures::archive::Style;
use qemu_tests::fixtures::compress::Compressor;
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::layer::{Layer, SOCKET};
use qemu_tests::fixtures::samples::{all_kinds, replacements, to_be_replaced};
use qemu_tests::fixtures::stack::{base, with_base, Stack};
use qemu_tests::summary::Summary;

const PLAIN: Compressor = Compressor::None;

/// `CAP_NET_RAW`, permitted and effective (`struct vfs_cap_data`, revision 2).
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Boots it: the root has to be what the layers make. Returns the names in it.
fn check(stack: &Stack) -> Result<Vec<String>> {
    assert_eq!(stack.summary()?, Summary::in_place());
    Ok(stack.entries()?.iter().map(|entry| entry.path.display().to_string()).collect())
}

#[test]
fn archive_over_an_image_brings_objects_of_every_kind() -> Result<()> {
    let layer = all_kinds().special("kinds/socket", 0o755, SOCKET, (0, 0));
    check(&Stack::new()?.image(&base()?)?.archive(&layer, PLAIN)?)?;
    Ok(())
}

#[test]
fn archive_below_an_image_brings_objects_of_every_kind() -> Result<()> {
    let layer = all_kinds().special("kinds/socket", 0o755, SOCKET, (0, 0));
    check(&Stack::new()?.archive(&layer, PLAIN)?.image(&base()?)?)?;
    Ok(())
}

#[test]
fn image_over_an_image_brings_objects_of_every_kind() -> Result<()> {
    check(&Stack::new()?.image(&base()?)?.image(&all_kinds())?)?;
    Ok(())
}

#[test]
fn archive_brings_objects_of_every_kind_over_the_same_ones_of_an_image() -> Result<()> {
    check(&Stack::new()?.image(&with_base(all_kinds())?)?.archive(&all_kinds(), PLAIN)?)?;
    Ok(())
}

#[test]
fn archive_with_content_at_the_first_of_several_names() -> Result<()> {
    let style = Style { content_comes_last: false, ..Style::default() };
    check(&Stack::new()?.image(&base()?)?.archive_with(&all_kinds(), PLAIN, style)?)?;
    Ok(())
}

#[test]
fn archive_with_checksums() -> Result<()> {
    let style = Style { has_checksums: true, ..Style::default() };
    check(&Stack::new()?.image(&base()?)?.archive_with(&all_kinds(), PLAIN, style)?)?;
    Ok(())
}

#[test]
fn archive_without_trailer_at_the_end() -> Result<()> {
    let style = Style { has_trailer: false, ..Style::default() };
    check(&Stack::new()?.image(&base()?)?.archive_with(&all_kinds(), PLAIN, style)?)?;
    Ok(())
}

#[test]
fn link_to_a_file_of_the_archive_in_front() -> Result<()> {
    let style = Style { has_trailer: false, ..Style::default() };
    let first = Layer::new().shared_file("first", 0o640, "two names");
    let second = Layer::new().link("second", "first", 0o640);
    let stack = Stack::new()?.image(&base()?)?.archive_with(&first, PLAIN, style)?;
    check(&stack.archive(&second, PLAIN)?)?;
    Ok(())
}

#[test]
fn link_does_not_reach_over_a_trailer() -> Result<()> {
    let first = Layer::new().shared_file("first", 0o640, "one name");
    let second = Layer::new().link("second", "first", 0o600);
    let stack = Stack::new()?.image(&base()?)?.archive(&first, PLAIN)?;
    check(&stack.archive(&second, PLAIN)?)?;
    Ok(())
}

#[test]
fn archive_changes_one_of_several_names_in_an_image() -> Result<()> {
    let image = Layer::new().file("one", 0o644, "old").link("two", "one", 0o644);
    let archive = Layer::new().file("one", 0o600, "new");
    check(&Stack::new()?.image(&with_base(image)?)?.archive(&archive, PLAIN)?)?;
    Ok(())
}

#[test]
fn attributes_of_an_image_are_kept() -> Result<()> {
    let layer = Layer::new()
        .directory("directory", 0o755)
        .xattr("user.on-directory", "1")
        .xattr("trusted.of-administrator", "2")
        .file("file", 0o755, "content")
        .xattr("user.long", "v".repeat(300))
        .xattr("security.capability", CAPABILITY)
        .file("directory/below", 0o644, "content")
        .xattr("user.empty", "");
    let other = Layer::new().directory("directory", 0o755).file("directory/other", 0o644, "");
    // Whatever comes later, and needs no change of the files that have them.
    let stack = Stack::new()?.archive(&other, PLAIN)?.image(&with_base(layer)?)?;
    check(&stack.archive(&other, Compressor::Gzip)?)?;
    Ok(())
}

#[test]
fn attributes_are_kept_where_an_archive_writes_but_for_capabilities() -> Result<()> {
    let image = Layer::new()
        .directory("directory", 0o755)
        .xattr("user.on-directory", "1")
        .file("directory/file", 0o755, "old content")
        .xattr("user.on-file", "2")
        .xattr("security.capability", CAPABILITY);
    let archive = Layer::new()
        .directory("directory", 0o711)
        .owner(1, 1)
        .file("directory/file", 0o711, "new")
        .owner(1, 1);
    check(&Stack::new()?.image(&with_base(image)?)?.archive(&archive, PLAIN)?)?;
    Ok(())
}

#[test]
fn whiteout_of_an_image_hides_what_is_below() -> Result<()> {
    let archive = Layer::new()
        .directory("a", 0o755)
        .file("a/of-archive", 0o644, "1")
        .file("a/kept-of-archive", 0o644, "1")
        .directory("a/tree", 0o755)
        .file("a/tree/file", 0o644, "1");
    let lower = Layer::new().directory("a", 0o755).file("a/of-image", 0o644, "2");
    let upper = Layer::new()
        .directory("a", 0o755)
        .whiteout("a/of-archive")
        .whiteout("a/of-image")
        .whiteout("a/tree")
        .whiteout("a/nothing");
    let stack = Stack::new()?.archive(&archive, PLAIN)?.image(&with_base(lower)?)?;
    let names = check(&stack.image(&upper)?)?;
    let expected = ["a", "a/kept-of-archive", "init", "newroot", "proc", "sys", "tmp"];
    assert_eq!(names, expected);
    Ok(())
}

#[test]
fn opaque_directory_of_an_image_hides_what_is_below() -> Result<()> {
    let archive = Layer::new().directory("a", 0o700).file("a/of-archive", 0o644, "1");
    let lower = Layer::new().directory("a", 0o711).file("a/of-image", 0o644, "2");
    let upper = Layer::new().opaque_directory("a", 0o755).file("a/own", 0o644, "3");
    let stack = Stack::new()?.archive(&archive, PLAIN)?.image(&with_base(lower)?)?;
    let names = check(&stack.image(&upper)?)?;
    assert_eq!(names, ["a", "a/own", "init", "newroot", "proc", "sys", "tmp"]);
    Ok(())
}

#[test]
fn archive_brings_back_what_an_image_hides() -> Result<()> {
    let lower = Layer::new()
        .directory("a", 0o755)
        .file("a/old", 0o644, "1")
        .directory("b", 0o755)
        .file("b/old", 0o644, "1");
    let upper = Layer::new().whiteout("a").opaque_directory("b", 0o755);
    let archive =
        Layer::new().directory("a", 0o700).file("a/new", 0o644, "2").file("b/old", 0o600, "2");
    let stack = Stack::new()?.image(&with_base(lower)?)?.image(&upper)?;
    let names = check(&stack.archive(&archive, PLAIN)?)?;
    assert!(!names.contains(&"a/old".to_owned()), "{names:?}");
    assert!(names.contains(&"a/new".to_owned()), "{names:?}");
    Ok(())
}

#[test]
fn archive_needs_no_entry_for_a_directory_of_a_lower_layer() -> Result<()> {
    let image = Layer::new()
        .directory("etc", 0o750)
        .owner(1, 2)
        .directory("etc/deep", 0o700)
        .xattr("user.on-directory", "1");
    let archive = Layer::new()
        .file("etc/hosts", 0o644, "1")
        .file("etc/deep/file", 0o644, "2")
        .file("missing/file", 0o644, "3");
    let names = check(&Stack::new()?.image(&with_base(image)?)?.archive(&archive, PLAIN)?)?;
    assert!(names.contains(&"etc/deep/file".to_owned()), "{names:?}");
    assert!(!names.contains(&"missing".to_owned()), "{names:?}");
    Ok(())
}

#[test]
fn archive_leads_through_symlinks_of_lower_layers() -> Result<()> {
    let image = Layer::new()
        .directory("usr", 0o755)
        .directory("usr/lib", 0o755)
        .symlink("lib", "usr/lib")
        .symlink("absolute", "/usr/lib")
        .symlink("upwards", "../../../usr");
    let archive = Layer::new()
        .file("lib/a", 0o644, "1")
        .directory("absolute/sub", 0o711)
        .file("absolute/sub/b", 0o644, "2")
        .file("upwards/lib/c", 0o644, "3")
        .symlink("lib/d", "a");
    let names = check(&Stack::new()?.image(&with_base(image)?)?.archive(&archive, PLAIN)?)?;
    for name in ["usr/lib/a", "usr/lib/sub/b", "usr/lib/c", "usr/lib/d"] {
        assert!(names.contains(&name.to_owned()), "no {name} in {names:?}");
    }
    Ok(())
}

#[test]
fn archive_changes_the_types_of_an_image() -> Result<()> {
    let stack = Stack::new()?.image(&with_base(to_be_replaced())?)?;
    check(&stack.archive(&replacements(), PLAIN)?)?;
    Ok(())
}

#[test]
fn image_changes_the_types_of_an_image() -> Result<()> {
    check(&Stack::new()?.image(&with_base(to_be_replaced())?)?.image(&replacements())?)?;
    Ok(())
}

#[test]
fn image_changes_the_types_of_an_archive() -> Result<()> {
    check(&Stack::new()?.archive(&to_be_replaced(), PLAIN)?.image(&with_base(replacements())?)?)?;
    Ok(())
}

#[test]
fn archive_changes_the_types_of_an_earlier_archive() -> Result<()> {
    let stack = Stack::new()?.image(&base()?)?.archive(&to_be_replaced(), PLAIN)?.padding(4);
    check(&stack.archive(&replacements(), PLAIN)?)?;
    Ok(())
}

#[test]
fn image_in_an_archive_is_a_file() -> Result<()> {
    let inner = Layer::new().file("not-to-be-seen", 0o644, "");
    let inner = erofs::of_layer(&inner, &[])?;
    let archive = Layer::new().file("image.erofs", 0o644, inner);
    let stack = Stack::new()?.archive(&archive, PLAIN)?.image(&base()?)?;
    let names = check(&stack.archive(&archive, PLAIN)?)?;
    assert!(names.contains(&"image.erofs".to_owned()), "{names:?}");
    Ok(())
}

#[test]
fn magic_of_an_image_in_compressed_data_is_passed_over() -> Result<()> {
    // Behind the 1024 NULs stands the magic, and then nonsense.
    let mut random = vec![0; 200 << 10];
    fastrand::Rng::with_seed(1).fill(&mut random);
    random[100 << 10..][..1024].fill(0);
    random[(100 << 10) + 1024..][..4].copy_from_slice(&0xe0f5_e1e2_u32.to_le_bytes());
    let archive = Layer::new().file("stray", 0o644, random);
    let stack = Stack::new()?.stored_archive(&archive)?.image(&base()?)?;
    check(&stack.stored_archive(&archive)?)?;
    Ok(())
}

#[test]
fn root_directory_is_that_of_the_image() -> Result<()> {
    let layer = Layer::new().directory(".", 0o711).owner(1, 2).xattr("user.on-root", "1");
    let boot = Stack::new()?.image(&with_base(layer)?)?.boot()?;
    assert_eq!(boot.report.first()?.get("root.entry")?, " 0711 1:2 directory user.on-root=31");
    Ok(())
}

#[test]
fn access_list_of_the_root_directory_does_not_cost_the_root() -> Result<()> {
    // Version 2: the owner may all, user 1 may read, the group nothing, a mask, others nothing.
    let entries = [(1_u16, 7_u16, u32::MAX), (2, 4, 1), (4, 0, u32::MAX), (16, 7, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries.into_iter().chain([(32, 5, u32::MAX)]) {
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    let layer = Layer::new().directory(".", 0o775).xattr("system.posix_acl_access", list);
    let boot = Stack::new()?.image(&with_base(layer)?)?.boot()?;
    let root = boot.report.first()?.get("root.entry")?;
    assert!(root.starts_with(" 0775 0:0 directory"), "{root}");
    Ok(())
}

#[test]
fn root_directory_is_what_an_archive_makes_of_it() -> Result<()> {
    let layer = Layer::new().directory(".", 0o711).owner(1, 2);
    let boot = Stack::new()?.image(&base()?)?.archive(&layer, PLAIN)?.boot()?;
    assert_eq!(boot.report.first()?.get("root.entry")?, " 0711 1:2 directory");
    Ok(())
}

#[test]
fn names_do_not_lead_out_of_the_tree() -> Result<()> {
    let image = Layer::new().directory("a", 0o755).symlink("a/up", "../../../..");
    let archive = Layer::new()
        .file("/absolute", 0o644, "1")
        .file("../../upwards", 0o644, "2")
        .file("./dotted", 0o644, "3")
        .file("a/up/through", 0o644, "4")
        .file("a/../sideways", 0o644, "5");
    let boot = Stack::new()?.image(&with_base(image)?)?.archive(&archive, PLAIN)?.boot()?;
    let entries = boot.report.first()?.all("entry");
    for name in ["absolute", "upwards", "dotted", "through", "sideways"] {
        let start = format!("{name} 0644 0:0 file size=1 ");
        assert!(entries.iter().any(|line| line.starts_with(&start)), "no {name} in {entries:#?}");
    }
    Ok(())
}

#[test]
fn whiteout_in_an_archive_leaves_nothing_and_brings_nothing() -> Result<()> {
    // The kernel would replace the file by a device; overlayfs does not let anybody make this one.
    let image =
        Layer::new().file("file", 0o644, "1").directory("full", 0o755).file("full/a", 0, "");
    let archive = Layer::new().whiteout("file").whiteout("new").whiteout("full");
    let stack = Stack::new()?.image(&with_base(image)?)?;
    let names = check(&stack.archive(&archive, PLAIN)?)?;
    assert_eq!(names, ["full", "full/a", "init", "newroot", "proc", "sys", "tmp"]);
    Ok(())
}
