// SPDX-License-Identifier: GPL-2.0-only
//! What the counting clock showed, as it is kept in `results.json`.

use serde::{Deserialize, Serialize};

/// A run of the benchmark.
#[derive(Serialize, Deserialize)]
pub struct Results {
    /// Memory of the guest in MiB.
    pub memory_mib: u32,
    /// The floor, that the rows without a disk are compared with.
    pub floor: Row,
    /// The floor for the rows with a disk.
    pub disk_floor: Option<Row>,
    pub rows: Vec<Row>,
    /// Initrds that could not be booted.
    pub missing: usize,
}

/// Figures at the three stages of a boot.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Stages {
    /// `/init` has just started.
    pub init: f64,
    /// It has read a tenth of the bytes.
    pub tenth: f64,
    /// It has read all of them.
    pub all: f64,
}

/// What was measured with one initrd: medians of several boots, or the least where there is a disk.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    /// Kind of initrd.
    pub initrd: String,
    /// Set if there was a disk to wait for: then the clock goes with the host's while the guest waits, and the
    /// figures do not repeat.
    pub has_disk: bool,
    /// The files beside init, in MB.
    pub payload_mb: u64,
    /// The bytes of the initrd, and of the image on the disk.
    pub bytes: u64,
    /// Boots, each with a command line of another length.
    pub boots: usize,
    /// When the kernel turned to `/init`, in its log.
    pub run_ms: f64,
    /// When the stages were reached, on the counting clock.
    pub at_ms: Stages,
    /// Memory available, by the kernel's own estimate: what the page cache holds counts as available.
    pub available_mib: Stages,
    /// Memory that nothing uses, not even the page cache.
    pub free_mib: Stages,
    /// Memory available once the initial root has been left.
    pub left_mib: f64,
    /// Milliseconds from detaching the initial root to the start of the next init. The memory is given back
    /// meanwhile.
    #[serde(default)]
    pub leave_ms: f64,
    /// Memory that was touched at any time, counted by the host.
    pub touched_mib: f64,
    /// The least memory that is enough, where it was measured.
    #[serde(default)]
    pub least: Option<Least>,
    /// Bytes of files that had been copied to memory by the kernel, see `measure`; nothing where it does not tell.
    pub copied_bytes: Option<Stages>,
    /// The component's own phases, in the order of the boot, each in milliseconds.
    pub phases: Vec<(String, f64)>,
}

/// The least memory of a machine, in MiB.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Least {
    /// That starts `/init`.
    pub init_mib: u32,
    /// That lets it read all files.
    pub all_mib: u32,
}

impl Results {
    /// Returns how much later than on its floor, which has nothing to read, a row reached the stages.
    pub fn over(&self, row: &Row) -> Stages {
        let floor = match &self.disk_floor {
            Some(floor) if row.has_disk => floor.at_ms.init,
            _ => self.floor.at_ms.init,
        };
        let at = row.at_ms;
        Stages { init: at.init - floor, tenth: at.tenth - floor, all: at.all - floor }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns a row with these times over the floor.
    pub fn row(initrd: &str, payload_mb: u64, bytes: u64, [init, tenth, all]: [f64; 3]) -> Row {
        Row {
            initrd: initrd.to_owned(),
            has_disk: false,
            payload_mb,
            bytes,
            boots: 1,
            run_ms: init,
            at_ms: Stages { init, tenth, all },
            available_mib: Stages::default(),
            free_mib: Stages::default(),
            left_mib: 0.0,
            leave_ms: 0.0,
            touched_mib: 0.0,
            least: None,
            copied_bytes: None,
            phases: Vec::new(),
        }
    }

    /// Returns a run with these rows, whose floor takes no time.
    pub fn results(rows: Vec<Row>) -> Results {
        let floor = row("floor", 0, 0, [0.0; 3]);
        Results { memory_mib: 4096, floor, disk_floor: None, rows, missing: 0 }
    }
}
