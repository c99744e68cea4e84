// SPDX-License-Identifier: GPL-2.0-only
//! The programs that the boots of several generators' images read: the command stores what starts them as quick to
//! read, without a profile of the image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use qemu_tests::fixtures::command::{extract, read_in};
use qemu_tests::tools;
use tempfile::TempDir;

use crate::boots;
use crate::generators::{GENERATORS, MIXED};
use crate::images::Images;

/// The list that the command has, from the root of the project.
const LIST: &str = "userspace-tools/image/src/usual-programs";
const HEADER: &str = "# SPDX-License-Identifier: GPL-2.0-only\n# Written by scripts/bench --distro --usual-programs.\n";
/// The number of generators whose images have to read a program. dracut's two images are one generator's.
const GENERATORS_NEEDED: usize = 2;

/// Boots an image of each generator, and replaces the list. Prints who read what.
pub fn replace() -> Result<()> {
    let mut readers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for generator in GENERATORS.iter().filter(|one| !one.kinds.is_empty()) {
        let initramfs =
            generator.image()?.with_context(|| format!("no image of {}", generator.name))?;
        let maker = generator.name.split(',').next().unwrap_or(generator.name);
        let image = Images::of(&initramfs).image(MIXED)?;
        for program in programs(generator.name, &image)? {
            readers.entry(program).or_default().insert(maker);
        }
    }
    for (program, makers) in &readers {
        println!("{program}: {}", makers.iter().copied().collect::<Vec<_>>().join(", "));
    }
    let usual = readers.iter().filter(|(_, makers)| makers.len() >= GENERATORS_NEEDED);
    let lines: String = usual.map(|(program, _)| format!("{program}\n")).collect();
    let list = list()?;
    fs::write(&list, HEADER.to_owned() + &lines).with_context(|| list.display().to_string())
}

fn list() -> Result<PathBuf> {
    let root = tools::build_dir();
    Ok(root.parent().context("the build folder has no parent")?.join(LIST))
}

/// Returns the programs that a boot from an image reads.
fn programs(generator: &str, image: &[u8]) -> Result<Vec<String>> {
    let (_, boots) = boots::row(generator, "which programs it reads", image, "require")?;
    let list = read_in(boots.first().context("no boots")?.last()?, image)?;
    let place = TempDir::with_prefix("qemu-test-")?;
    extract(image, place.path())?;
    let list = fs::read_to_string(list.path())?;
    let read =
        list.lines().filter(|path| is_program(&place.path().join(path.trim_start_matches('/'))));
    Ok(read.map(str::to_owned).collect())
}

/// Returns whether this is an ELF file that can be started, and no library.
fn is_program(path: &Path) -> bool {
    let is_library = path.to_string_lossy().contains(".so");
    let is_executable =
        fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o111 != 0);
    let is_elf = || fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
    !is_library && is_executable && is_elf()
}
