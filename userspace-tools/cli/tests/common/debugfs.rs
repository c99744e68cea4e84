// SPDX-License-Identifier: GPL-2.0-only

//! A directory like the kernel's, with what it has counted.

use super::Place;

/// The command that looks there.
pub const STATS: &str = "stats --debugfs debug/initoverlayfs";

/// `phases` of a boot, in nanoseconds.
pub const PHASES: &str = "claim 41230\nwait 0\nsegments 1599999\nimage0 19336000\n";
/// `layers` of a boot with an archive and an image.
pub const LAYERS: &str = "\
# layer kind bytes held reads served touched
0 cpio 1234 0 3 1234 1
1 erofs 40960 40960 17 123456 5
";

/// Makes the kernel's directory, as it is after a boot.
pub fn debugfs(place: &Place, layers: &str, touched: &str) {
    place.write("debug/initoverlayfs/phases", PHASES);
    place.write("debug/initoverlayfs/layers", layers);
    place.write("debug/initoverlayfs/touched", touched);
}
