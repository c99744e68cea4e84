// SPDX-License-Identifier: GPL-2.0-only
//! One archive, booted stock and converted: what init sees and can do is the same, except for the list in
//! the admin guide.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::command::convert_bytes;
use qemu_tests::fixtures::compress::{compress, Compressor};
use qemu_tests::fixtures::layer::{Layer, BLOCK, CHARACTER, FIFO, SOCKET};
use qemu_tests::machine::Machine;
use qemu_tests::tools;

/// The guide, and the heading above the list of differences.
const GUIDE: &str = "../Documentation/admin-guide.rst";
const HEADING: &str = "What is different\n=================\n";

/// Limits that follow from the memory that the initrd has left when the kernel starts.
const BY_MEMORY: [&str; 2] = ["limit.Max_processes", "limit.Max_pending_signals"];

/// What the probe's actions need, and one of everything.
fn tree() -> Result<Layer> {
    let probe = fs::read(tools::probe())?;
    let busybox = fs::read(tools::busybox().context("no busybox: run `make setup`")?)?;
    let text = || "text".repeat(10);
    let mut layer = Layer::new().directory(".", 0o751).file("init", 0o755, probe);
    for name in [
        "dev",
        "proc",
        "sys",
        "tmp",
        "bin",
        "etc",
        "links",
        "names",
        "names/directory",
        "numbers",
        "full",
    ] {
        layer = layer.directory(name, 0o755);
    }
    layer = layer
        .file("bin/busybox", 0o755, busybox)
        .symlink("bin/sh", "busybox")
        .directory("sbin", 0o755)
        .symlink("sbin/switch_root", "../bin/busybox")
        .file("script", 0o755, "#!/bin/sh\nexit 3\n")
        .file("suid", 0o4755, "#!/bin/sh\nexit 4\n")
        .owner(1000, 1000)
        .file("links/one", 0o644, text())
        .link("links/two", "links/one", 0o644);
    for name in [
        "attributes",
        "gone",
        "lock",
        "names/directory/inside",
        "names/file",
        "names/other",
        "numbers/chmod",
        "numbers/chown",
        "numbers/write",
        "read",
        "stale",
        "watched",
        "whiteout",
        "full/a",
        "full/b",
    ] {
        layer = layer.file(name, 0o644, text());
    }
    let sparse = [vec![0; 1 << 20], b"end".to_vec()].concat();
    Ok(layer
        .file("large", 0o644, vec![b'l'; 2 << 20])
        .file("mapped", 0o644, vec![b'm'; 4096])
        .file("sparse", 0o640, sparse)
        .file("empty", 0o000, "")
        .owner(u32::MAX - 1, 65_535)
        .mtime(0)
        .file("name with blanks", 0o1777, "")
        .directory("sticky", 0o3777)
        .symlink("dangling", "/nowhere/at/all")
        .special("null", 0o666, CHARACTER, (1, 3))
        .special("block", 0o660, BLOCK, (259, 300_000))
        .special("fifo", 0o600, FIFO, (0, 0))
        .special("old-socket", 0o600, SOCKET, (0, 0)))
}

/// What init saw: a value for each key.
fn seen(initrd: Vec<u8>, parameters: &str) -> Result<BTreeMap<String, String>> {
    let boot = Machine::new().initrd_bytes(initrd).append(parameters).orders("compare").run()?;
    let lines = boot.report.first()?.all("see").into_iter();
    Ok(lines
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect())
}

/// The keys in the guide's list: terms in double backquotes, with a `*` at the end for all that begin so.
fn listed() -> Result<BTreeSet<String>> {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE))?;
    let (_, section) = guide.split_once(HEADING).context("no list of differences in the guide")?;
    let section = section.split("\n====").next().unwrap_or_default();
    let terms = section.lines().filter(|line| line.starts_with("``"));
    Ok(terms.flat_map(|line| line.split("``").skip(1).step_by(2).map(str::to_owned)).collect())
}

/// Whether an entry of the list stands for this key.
fn is_meant(entry: &str, key: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(start) => key.starts_with(start),
        None => entry == key,
    }
}

#[test]
fn what_init_sees_differs_by_the_guides_list_only() -> Result<()> {
    let archive = newc(&tree()?, Style::default());
    let initramfs = compress(&archive, Compressor::Gzip)?;
    let image = convert_bytes(&initramfs)?;
    let listed = listed()?;
    let mut used = BTreeSet::new();
    let mut surprises = Vec::new();
    // The kernel's own root is a tmpfs without `root=`, and a ramfs with it.
    for parameters in ["xyzzy=/dev/vda", "root=/dev/vda"] {
        let (stock, ours) =
            (seen(initramfs.clone(), parameters)?, seen(image.clone(), parameters)?);
        ensure!(stock.len() > 150, "the probe saw {} things only", stock.len());
        for key in stock.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let (stock, ours) = (stock.get(key), ours.get(key));
            if stock == ours || BY_MEMORY.contains(&key.as_str()) {
                continue;
            }
            match listed.iter().find(|entry| is_meant(entry, key)) {
                Some(entry) => drop(used.insert(entry.clone())),
                None => surprises.push(format!("{parameters}: {key}: {stock:?} stock, {ours:?}")),
            }
        }
    }
    ensure!(surprises.is_empty(), "not in the guide's list: {surprises:#?}");
    let unused: Vec<_> = listed.difference(&used).collect();
    ensure!(unused.is_empty(), "in the guide's list, but no difference: {unused:?}");
    Ok(())
}
