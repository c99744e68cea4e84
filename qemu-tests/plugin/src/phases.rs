// SPDX-License-Identifier: GPL-2.0-only
//! The parts of the boot that are told apart.

use crate::symbols::{Function, Symbols};

/// A part of the boot, from the component's first instruction to `/init`'s, or to one of its execs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From the entry of the `claim` initcall to its return.
    Claim,
    /// What the kernel does between the others.
    Between,
    /// From the entry of a `mount` initcall to its return.
    Mount,
    /// From the kernel turning to `/init` to the first instruction of that.
    Start,
    /// From there to an exec of PID 1 later on.
    Init,
}

impl Phase {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Claim, Self::Between, Self::Mount, Self::Start, Self::Init];

    /// Returns its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Between => "between",
            Self::Mount => "mount",
            Self::Start => "start",
            Self::Init => "init",
        }
    }
}

/// The functions with which a phase begins.
const BEGINNINGS: [(&str, Phase); 4] = [
    ("__initoverlayfs_initcall_claim", Phase::Claim),
    ("__initoverlayfs_initcall_mount", Phase::Mount),
    ("__initoverlayfs_initcall_mount_late", Phase::Mount),
    ("run_init_process", Phase::Start),
];

/// Which functions begin a phase.
#[derive(Debug)]
pub struct Beginnings(Vec<(Function, Phase)>);

impl Beginnings {
    /// Finds them; nothing if this kernel lacks one, but for that which comes with signatures.
    pub fn find(symbols: &Symbols) -> Option<Self> {
        let found: Vec<_> = BEGINNINGS
            .iter()
            .filter_map(|(name, phase)| Some((symbols.find(name)?, *phase)))
            .collect();
        let has = |phase| found.iter().any(|(_, found)| *found == phase);
        [Phase::Claim, Phase::Mount, Phase::Start].into_iter().all(has).then_some(Self(found))
    }

    /// Returns the phase that begins with this function.
    pub fn of(&self, function: Function) -> Option<Phase> {
        self.0.iter().find(|(beginning, _)| *beginning == function).map(|(_, phase)| *phase)
    }
}
