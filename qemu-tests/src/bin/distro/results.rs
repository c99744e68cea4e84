// SPDX-License-Identifier: GPL-2.0-only
//! The figures of a run, as `distro.json` keeps them.

use serde::{Deserialize, Serialize};

/// A run.
#[derive(Default, Serialize, Deserialize)]
pub struct Results {
    /// Sizes, a line for each generator.
    pub conversions: Vec<Conversion>,
    /// Boots, up to a running system.
    pub rows: Vec<Row>,
    /// The least memory.
    #[serde(default)]
    pub least: Vec<Least>,
}

/// An image that the command made.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Converted {
    pub bytes: u64,
    /// How long the host needed for it.
    pub seconds: f64,
}

/// A generator's image, and what it becomes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Conversion {
    pub generator: String,
    /// The image as the generator made it.
    pub bytes: u64,
    /// How long the host needs to compress the archives in it, by this command.
    pub compressor: String,
    pub compress_seconds: f64,
    /// By the usual options.
    pub usual: Converted,
    /// By `--small`.
    pub small: Converted,
}

/// The least memory with which a generator's image boots to its landmark, in MiB; nothing if it does not boot with any.
#[derive(Clone, Serialize, Deserialize)]
pub struct Least {
    pub generator: String,
    pub stock_mib: Option<u32>,
    pub ours_mib: Option<u32>,
}

/// A figure at each stage.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Stages {
    /// `/init` starts.
    pub init: f64,
    /// The real root's init starts.
    pub real_init: f64,
    /// The system is up.
    pub up: f64,
}

/// The best of several boots from an initrd.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    pub generator: String,
    pub kind: String,
    pub bytes: u64,
    /// On the guest's clock.
    pub seconds: Stages,
    pub available_mib: Stages,
}

impl Results {
    /// Adds another run, whose figures count where both have some.
    pub fn add(&mut self, other: Self) {
        for one in other.conversions {
            self.conversions.retain(|old| old.generator != one.generator);
            self.conversions.push(one);
        }
        for row in other.rows {
            self.rows.retain(|old| old.generator != row.generator || old.kind != row.kind);
            self.rows.push(row);
        }
        for one in other.least {
            self.least.retain(|old| old.generator != one.generator);
            self.least.push(one);
        }
    }
}
