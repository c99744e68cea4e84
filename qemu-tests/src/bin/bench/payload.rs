// SPDX-License-Identifier: GPL-2.0-only
//! The files that an initrd of a given size holds.
//!
//! They are files of Debian packages, in an order that is as good as random but always the same, until
//! the size is reached. No file is larger than two fifths of the whole. Sizes of up to 100 MB draw from
//! fewer packages than larger ones, so that they need less to be downloaded.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::tree::Tree;
use qemu_tests::tools;

/// A million bytes, as everywhere in the benchmark.
pub const MB: u64 = 1_000_000;
/// The largest size that the smaller choice of packages serves.
const SMALL_MB: u64 = 100;
/// The list of files that make a tenth of the bytes, which the probe reads first.
const TENTH: &str = "bench.tenth";

/// A file or symbolic link of a package.
#[derive(Clone)]
struct Object {
    source: PathBuf,
    /// Where it belongs, from the root.
    path: PathBuf,
    /// The bytes of a file; a link has none.
    size: u64,
    /// A line that changes with it.
    identity: String,
}

/// Returns the tree of this size, with the probe as its init; the bytes of all its files.
pub fn tree(mb: u64, pool: Option<&Path>) -> Result<(Tree, u64)> {
    let mut objects = Vec::new();
    for root in roots(mb, pool)? {
        collect(&root, Path::new(""), &mut objects)?;
    }
    let chosen = choose(objects, mb * MB, "tree", 2.0 / 5.0)?;
    let content: u64 = chosen.iter().map(|object| object.size).sum();
    ensure!(content >= mb * MB * 98 / 100, "the files come to {} MB only", content / MB);
    let listing: String = chosen.iter().map(|object| object.identity.as_str()).collect();
    let files = chosen.iter().filter(|object| object.size > 0);
    let tenth = choose(files.cloned().collect(), content / 10, "tenth", 1.0 / 5.0)?;
    let tenth: String =
        tenth.iter().map(|object| format!("/{}\n", object.path.display())).collect();
    let tree = Tree::filled(&format!("bench-{mb}"), &[&listing, &tenth, "dev"], |root| {
        chosen.iter().try_for_each(|object| object.put(root))?;
        // An image that is itself the root needs one to mount devtmpfs on.
        fs::create_dir_all(root.join("dev"))?;
        Ok(fs::write(root.join(TENTH), &tenth)?)
    })?;
    Ok((tree, content))
}

/// Returns the directories that packages were unpacked to, each a root.
fn roots(mb: u64, pool: Option<&Path>) -> Result<Vec<PathBuf>> {
    if let Some(pool) = pool {
        return Ok(vec![pool.to_owned()]);
    }
    let kinds = if mb <= SMALL_MB { &["small"][..] } else { &["small", "large"][..] };
    let script = tools::project_dir().join("scripts/bench.d/payload");
    let status = Command::new(&script).args(kinds).status();
    let status = status.with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(status.success(), "{} failed", script.display());
    let mut roots = Vec::new();
    for kind in kinds {
        let place = tools::build_dir().join("bench/pool").join(kind);
        for member in fs::read_dir(&place)? {
            roots.push(member?.path());
        }
    }
    roots.retain(|path| path.is_dir());
    Ok(roots)
}

/// Adds the files and symbolic links below `root/directory`.
fn collect(root: &Path, directory: &Path, objects: &mut Vec<Object>) -> Result<()> {
    for member in fs::read_dir(root.join(directory))? {
        let member = member?;
        let path = directory.join(member.file_name());
        let metadata = member.metadata()?;
        if metadata.is_dir() {
            collect(root, &path, objects)?;
            continue;
        }
        let size = if metadata.is_file() { metadata.len() } else { 0 };
        let identity = format!("{} {size} {}\n", path.display(), metadata.mtime());
        objects.push(Object { source: member.path(), path, size, identity });
    }
    Ok(())
}

/// Takes objects in an order that depends on their names and on `purpose` only, until they come to
/// `wanted` bytes or half a percent less; passes over what is larger than this part of it.
fn choose(objects: Vec<Object>, wanted: u64, purpose: &str, part: f64) -> Result<Vec<Object>> {
    let mut order = Vec::new();
    for object in objects {
        let name = format!("{purpose} {}", object.path.display());
        order.push((probe::entry::digest(&mut name.as_bytes())?, object));
    }
    order.sort_by_key(|(digest, _)| *digest);
    // PRECISION: A limit need not be exact.
    let largest = (wanted as f64 * part) as u64;
    let mut chosen: Vec<Object> = Vec::new();
    let mut sum = 0;
    for (_, object) in order {
        if sum >= wanted - wanted / 200 {
            break;
        }
        if object.size <= largest && sum + object.size <= wanted {
            sum += object.size;
            chosen.push(object);
        }
    }
    chosen.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(chosen)
}

impl Object {
    /// Puts it below `root`, without a copy of its content.
    fn put(&self, root: &Path) -> Result<()> {
        let place = root.join(&self.path);
        fs::create_dir_all(place.parent().context("no directory")?)?;
        if self.source.is_symlink() {
            symlink(fs::read_link(&self.source)?, &place)?;
        } else {
            fs::hard_link(&self.source, &place)
                .with_context(|| format!("cannot link {}", self.source.display()))?;
        }
        Ok(())
    }
}
