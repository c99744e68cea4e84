// SPDX-License-Identifier: GPL-2.0-only

//! Reads a squashfs image into a tree, without mounting it: `unsquashfs` of squashfs-tools takes the files
//! out, and `tar` says what `fakeroot` has it believe about them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use super::ReadError;
use crate::mkfs::faked_shell;
use crate::programs::UNSQUASHFS;
use crate::tree::{Kind, Tree};
use crate::untar;

/// The oldest version that ends with an error if there was one.
const OLDEST: (u32, u32) = (4, 5);

/// Takes all files out, and packs them. Files whose modes keep their owner out are given these once more,
/// by `chmod`: fakeroot then lets the owner in, and still shows them.
const SCRIPT: &str = r#"
set -e
image=$1 stage=$2 unsquashfs=$3
"$unsquashfs" -no-progress -quiet -strict-errors -dest "$stage" "$image" > /dev/null
find "$stage" ! -type l ! -perm -0600 -printf '%m\0%p\0' |
	xargs --null --no-run-if-empty --max-args=2 chmod
exec tar --create --format=pax --sort=name --numeric-owner --xattrs '--xattrs-include=*' \
	--directory "$stage" .
"#;

/// Reads all of the image in `image`; `place` is an empty directory.
pub(super) fn read(image: &Path, place: &Path) -> Result<Tree, ReadError> {
    let text = UNSQUASHFS.version_text("-version")?;
    UNSQUASHFS.check_version(&text, OLDEST)?;
    let bytes = take_out(image, &place.join("tree"))?;
    let mut tree = untar::read(&bytes)?;
    for name in fifos(image)? {
        if let Some(id) = tree.id(&name) {
            tree.inode_mut(id).kind = Kind::Fifo;
        }
    }
    Ok(tree)
}

/// Returns the names of the fifos in an image. fakeroot 2.1 makes a file of one when `unsquashfs` sets its mode.
fn fifos(image: &Path) -> Result<Vec<Vec<u8>>, ReadError> {
    let options = ["-lln", "-dest", ""].map(OsStr::new);
    let arguments = options.into_iter().chain([image.as_os_str()]);
    let listed = UNSQUASHFS.run(arguments, &[("LC_ALL", "C")])?.stdout;
    // prw-r--r-- 0/0                       0 2026-11-30 05:59 /name
    let name = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = line.get(colon + ":59 /".len()..)?;
        line.starts_with(b"p").then(|| name.to_vec())
    };
    Ok(listed
        .split(|byte| *byte == b'\n')
        .filter_map(name)
        .collect())
}

/// Returns a tarball of all that is in an image.
fn take_out(image: &Path, stage: &Path) -> Result<Vec<u8>, ReadError> {
    let mut command = faked_shell()?;
    command
        .args(["-c", SCRIPT, "sh"])
        .args([image, stage])
        .arg(UNSQUASHFS.place())
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(UNSQUASHFS.wait(UNSQUASHFS.start_in(&mut command)?)?.stdout)
}
