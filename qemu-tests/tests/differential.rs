// SPDX-License-Identifier: GPL-2.0-only
//! One archive, booted stock and converted: what init sees and can do is the same, except for the list in
//! boot.rst.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{ensure, Context, Result};
use qemu_tests::difference::{facts, Facts, Listed};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::command::convert_bytes;
use qemu_tests::fixtures::compress::{compress, Compressor};
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::objects;
use qemu_tests::machine::Machine;
use qemu_tests::tools;

/// Returns a root with one object of each kind.
fn tree() -> Result<Layer> {
    let probe = fs::read(tools::probe())?;
    let busybox = fs::read(tools::busybox().context("no busybox: run `make setup`")?)?;
    let mut layer = Layer::new().directory(".", 0o751).file("init", 0o755, probe);
    for name in ["dev", "proc", "sys", "tmp", "bin", "etc", "sbin"] {
        layer = layer.directory(name, 0o755);
    }
    layer = layer
        .file("bin/busybox", 0o755, busybox)
        .symlink("bin/sh", "busybox")
        .symlink("sbin/run-init", "../bin/busybox")
        .symlink("sbin/switch_root", "../bin/busybox");
    Ok(objects::add(layer))
}

/// Boots an initrd; returns the facts that init saw.
fn seen(initrd: Vec<u8>, parameters: &str) -> Result<Facts> {
    let boot = Machine::new().initrd_bytes(initrd).append(parameters).orders("compare").run()?;
    Ok(facts(boot.report.first()?))
}

/// An entry of an archive, any part of which may be odd.
struct Odd {
    name: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
    links: u32,
    inode: u32,
    mtime: u32,
    device: (u32, u32),
    content: Vec<u8>,
}

impl Odd {
    fn new(name: impl Into<Vec<u8>>, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        let (name, content) = (name.into(), content.into());
        let (owner, device, mtime) = ((0, 0), (0, 0), 1_234_567_890);
        Self { name, mode, owner, links: 1, inode: 0, mtime, device, content }
    }

    /// Returns its bytes, as entry number `number`.
    fn bytes(&self, number: usize) -> Vec<u8> {
        let number = if self.inode == 0 { 1000 + number } else { self.inode as usize };
        let (size, name) = (self.content.len(), self.name.len() + 1);
        let (uid, gid) = (self.owner.0 as usize, self.owner.1 as usize);
        let (mode, links, mtime) = (self.mode as usize, self.links as usize, self.mtime as usize);
        let (major, minor) = (self.device.0 as usize, self.device.1 as usize);
        let fields = [number, mode, uid, gid, links, mtime, size, 8, 1, major, minor, name, 0];
        let mut bytes = b"070701".to_vec();
        bytes.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        bytes.extend(self.name.iter().chain([&0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(&self.content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}

const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
const LINK: u32 = 0o120_777;

/// Returns entries of which `init/initramfs.c` treats each in a way of its own.
fn oddities() -> Vec<Odd> {
    let long = |len: usize| vec![b'n'; len];
    let mut odd = vec![
        Odd::new("d", DIRECTORY, ""),
        Odd::new("./d//below", FILE, "slashes and a dot"),
        Odd::new("/d/absolute", FILE, "from the root"),
        Odd::new("d/../up", FILE, "up"),
        Odd::new("../../out", FILE, "above the root"),
        Odd::new("", FILE, "no name"),
        Odd { owner: (5, 5), mtime: 5, ..Odd::new("", 0o040_711, "") },
        Odd::new("missing/file", FILE, "no directory"),
        Odd::new("directory/", DIRECTORY, ""),
        Odd::new(long(255), FILE, "the longest name"),
        Odd::new(long(256), FILE, "too long for a name"),
        Odd::new([&b"d/"[..], &b"./".repeat(2046)].concat(), DIRECTORY, ""),
        Odd::new(b"./".repeat(2050), DIRECTORY, ""),
        Odd::new("link-long", LINK, vec![b't'; 4094]),
        Odd::new("link-too-long", LINK, vec![b't'; 4096]),
        // A link to nothing is made by the kernel, and cannot be in an image: the guide says so.
        Odd::new("link-nul", LINK, "a\0b"),
        Odd::new("twice", FILE, "first, and longer"),
        Odd::new("twice", FILE, "second"),
        Odd::new("was-file", FILE, "a file"),
        Odd::new("was-file", DIRECTORY, ""),
        Odd::new("was-directory", DIRECTORY, ""),
        Odd::new("was-directory", FILE, "a file now"),
        Odd::new("was-full", DIRECTORY, ""),
        Odd::new("was-full/member", FILE, "x"),
        Odd::new("was-full", FILE, "cannot be one"),
        Odd::new("was-link", LINK, "d"),
        Odd::new("was-link", FILE, "a file now"),
        Odd::new("to-d", LINK, "d"),
        Odd::new("to-d/through", FILE, "through a link"),
        Odd { mtime: 111, ..Odd::new("two-times", DIRECTORY, "") },
        Odd { mtime: 222, ..Odd::new("two-times", FILE, "the name keeps the first time") },
        Odd::new("stays", FILE, "a link that is too long takes nothing away"),
        Odd::new("stays", LINK, vec![b't'; 4097]),
        Odd::new("goes", FILE, "a link that is not made takes it away"),
        Odd::new("goes", LINK, vec![b't'; 4096]),
        Odd::new("slash/", FILE, "no file"),
        Odd::new("slash-file", FILE, "a file"),
        Odd::new("slash-file/", LINK, "target"),
        Odd::new("slash-file/", DIRECTORY, ""),
        Odd::new("slash-file/", FILE, "other"),
        Odd::new("slash-empty", DIRECTORY, ""),
        Odd::new("slash-empty/", FILE, "takes the directory away"),
        Odd::new("slash-full", DIRECTORY, ""),
        Odd::new("slash-full/member", FILE, "x"),
        Odd { owner: (3, 4), mtime: 5, ..Odd::new("slash-full/", LINK, "target") },
        Odd::new("slash-fifo", DIRECTORY, ""),
        Odd::new("slash-fifo/member", FILE, "x"),
        Odd { owner: (6, 7), mtime: 8, ..Odd::new("slash-fifo/", 0o010_604, "") },
        Odd::new("slash-none/", 0o010_604, ""),
        Odd::new("slash-link", LINK, "d"),
        Odd { owner: (9, 9), mtime: 10, ..Odd::new("slash-link/", 0o040_711, "") },
        Odd::new("slash-link/", FILE, "no file"),
        Odd::new("slash-dangling", LINK, "nowhere"),
        Odd::new("slash-dangling/", DIRECTORY, ""),
        Odd::new("dot", DIRECTORY, ""),
        Odd::new("dot/.", FILE, "no file"),
        Odd { owner: (1, 2), mtime: 3, ..Odd::new("dot/.", 0o040_750, "") },
        Odd { owner: (2, 2), ..Odd::new("dot/.", LINK, "target") },
        Odd::new("missing/.", DIRECTORY, ""),
        Odd::new("dot/below", DIRECTORY, ""),
        Odd { owner: (4, 4), mtime: 4, ..Odd::new("dot/below/..", 0o040_705, "") },
        Odd::new("TRAILER!!!", LINK, "no trailer"),
        Odd::new("TRAILER!!!", DIRECTORY, "no trailer"),
        Odd { links: 2, inode: 12, ..Odd::new("missing/a", FILE, "") },
        Odd { links: 2, inode: 12, ..Odd::new("no-link-to-missing", FILE, "not made") },
        Odd { links: 2, inode: 13, ..Odd::new("moved-one", FILE, "first") },
        Odd::new("moved-one", LINK, "d"),
        Odd { links: 2, inode: 13, ..Odd::new("moved-two", FILE, "a link's other name") },
        Odd::new("directory-with-content", DIRECTORY, "junk"),
        Odd::new("fifo-with-content", 0o010_644, "junk"),
        Odd::new("odd-type", 0o070_644, "of no type"),
        Odd::new("no-type", 0o644, "of no type"),
        Odd::new("odd-empty", FILE, "what is of no type and empty takes it away"),
        Odd::new("odd-empty", 0o070_644, ""),
        Odd::new("no-type-empty", DIRECTORY, ""),
        Odd::new("no-type-empty", 0o644, ""),
        Odd::new("no-type-content", FILE, "with content it does not"),
        Odd::new("no-type-content", 0o150_644, "content"),
        Odd::new("all-bits", 0o107_777, "set-user-id and all"),
        Odd { device: (0xfff_1001, 0x17_0003), ..Odd::new("wide-device", 0o020_600, "") },
        Odd { owner: (u32::MAX, u32::MAX), ..Odd::new("nobody", FILE, "owner -1") },
        Odd { owner: (u32::MAX - 1, 0), ..Odd::new("last", FILE, "owner -2") },
        Odd { mtime: u32::MAX, ..Odd::new("late", FILE, "2106") },
        Odd { mtime: 0, ..Odd::new("early", DIRECTORY, "") },
        Odd { links: 2, inode: 7, ..Odd::new("hard-one", FILE, "") },
        Odd { links: 2, inode: 7, ..Odd::new("hard-two", FILE, "content of the second") },
        Odd { links: 3, inode: 8, ..Odd::new("hard-first", FILE, "content of the first") },
        Odd { links: 3, inode: 8, ..Odd::new("hard-later", FILE, "") },
        Odd { links: 2, inode: 9, ..Odd::new("hard-alone", FILE, "alone") },
        Odd { links: 2, inode: 10, ..Odd::new("hard-gone", FILE, "gone") },
        Odd::new("hard-gone", DIRECTORY, ""),
        Odd { links: 2, inode: 10, ..Odd::new("hard-to-gone", FILE, "") },
        Odd { links: 1, inode: 11, ..Odd::new("same-number-one", FILE, "1") },
        Odd { links: 1, inode: 11, ..Odd::new("same-number-two", FILE, "2") },
    ];
    let mut random = fastrand::Rng::with_seed(1);
    for number in 0..60 {
        let bytes = |random: &mut fastrand::Rng, len: usize| -> Vec<u8> {
            (0..len)
                .map(|_| random.u8(1..))
                .map(|byte| if byte == b'/' { b'_' } else { byte })
                .collect()
        };
        let len = random.usize(1..60);
        let name = [format!("{number}").into_bytes(), bytes(&mut random, len)].concat();
        let mode = [FILE, LINK, DIRECTORY][number % 3];
        let len = if mode == DIRECTORY { 0 } else { random.usize(1..90) };
        let mut one =
            Odd::new(name, mode & !0o777 | random.u32(0..0o7777), bytes(&mut random, len));
        one.owner = (random.u32(..), random.u32(..));
        one.mtime = random.u32(..);
        odd.push(one);
    }
    odd
}

/// The kernel's unpacker is the second opinion on what `convert` makes of an archive.
#[test]
fn odd_entries_become_what_the_kernel_makes_of_them() -> Result<()> {
    let probe = fs::read(tools::probe())?;
    let mut entries = vec![Odd::new(".", DIRECTORY, ""), Odd::new("init", 0o100_755, probe)];
    for name in ["dev", "proc", "sys", "tmp"] {
        entries.push(Odd::new(name, DIRECTORY, ""));
    }
    entries.extend(oddities());
    entries.push(Odd { mtime: 0, ..Odd::new("TRAILER!!!", 0, "") });
    let archive = entries.iter().enumerate().flat_map(|(number, entry)| entry.bytes(number));
    let archive: Vec<u8> = archive.collect();
    let (stock, ours) =
        (seen(archive.clone(), "root=/dev/vda")?, seen(convert_bytes(&archive)?, "root=/dev/vda")?);
    let is_compared =
        |key: &&String| ["tree.", "target.", "content."].iter().any(|p| key.starts_with(p));
    let keys: BTreeSet<_> = stock.keys().chain(ours.keys()).filter(is_compared).collect();
    ensure!(keys.len() > 150, "{} things to compare", keys.len());
    let differences: Vec<_> = keys
        .into_iter()
        .filter(|key| stock.get(*key) != ours.get(*key))
        .map(|key| format!("{key}: {:?} stock, {:?}", stock.get(key), ours.get(key)))
        .collect();
    ensure!(differences.is_empty(), "{differences:#?}");
    Ok(())
}

#[test]
fn what_init_sees_differs_by_the_guides_list_only() -> Result<()> {
    let archive = newc(&tree()?, Style::default());
    let initramfs = compress(&archive, Compressor::Gzip)?;
    let image = convert_bytes(&initramfs)?;
    let mut listed = Listed::read()?;
    // The kernel's own root is a tmpfs without `root=`, and a ramfs with it.
    for parameters in ["xyzzy=/dev/vda", "root=/dev/vda"] {
        let (stock, ours) =
            (seen(initramfs.clone(), parameters)?, seen(image.clone(), parameters)?);
        ensure!(stock.len() > 150, "the probe saw {} things only", stock.len());
        let surprises = listed.surprises(&stock, &ours);
        ensure!(surprises.is_empty(), "{parameters}: not in the guide's list: {surprises:#?}");
    }
    // The others are met by tests/distro_differential.rs.
    let unmet = listed.unmet(|entry| !entry.starts_with("system.") && entry != "root-time");
    ensure!(unmet.is_empty(), "in the guide's list, but no difference: {unmet:?}");
    Ok(())
}
