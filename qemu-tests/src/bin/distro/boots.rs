// SPDX-License-Identifier: GPL-2.0-only
//! Boots of a real Debian, and what counts of them.

use std::time::Duration;

use anyhow::{Context, Result};
use qemu_tests::fixtures::archive;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::machine::Machine;
use qemu_tests::report::Report;
use qemu_tests::target::target;
use qemu_tests::tools;

use crate::results::{Row, Stages};

const TIME_LIMIT: Duration = Duration::from_secs(1200);
/// Lengths that the option and its padding have together.
const PADDINGS: [usize; 2] = [16, 32];
/// The script, in the initial root and on the disk.
const SCRIPT: &str = "rdinit=/report-init init=/usr/local/sbin/report-init";
const SCRIPT_TEXT: &str = include_str!("../../../../scripts/distro.d/report-init");
/// The port in it.
const SCRIPT_PORT: &str = "/dev/ttyS1";
/// In kB.
const MIB: u64 = 1024;

/// A figure of a boot that counts.
#[derive(Clone, Copy)]
enum Figure {
    Init,
    RealInit,
    Up,
    /// Available at a stage.
    Available(&'static str),
}

impl Figure {
    /// In microseconds, or in kB.
    fn of(self, report: &Report) -> Result<u64> {
        let found = report.last()?;
        match self {
            Self::Init => {
                let time = found.get("ran")?.split(' ').nth(1).context("no time of /init")?;
                Ok(Duration::try_from_secs_f64(time.parse()?)?.as_micros().try_into()?)
            }
            Self::RealInit => found.number("UserspaceTimestampMonotonic"),
            Self::Up => found.number("FinishTimestampMonotonic"),
            Self::Available(stage) => report.stage(stage)?.available_kb(),
        }
    }

    /// Returns the best of several boots: the least time, the most memory.
    fn best(self, boots: &[Report]) -> Result<u64> {
        let figures: Vec<u64> = boots.iter().map(|found| self.of(found)).collect::<Result<_>>()?;
        let best = match self {
            Self::Available(_) => figures.into_iter().max(),
            Self::Init | Self::RealInit | Self::Up => figures.into_iter().min(),
        };
        best.context("no boots")
    }

    /// Returns a time in seconds.
    fn seconds(self, boots: &[Report]) -> Result<f64> {
        Ok(Duration::from_micros(self.best(boots)?).as_secs_f64())
    }

    /// Returns memory in MiB.
    fn mib(self, boots: &[Report]) -> Result<f64> {
        // PRECISION: Whole MiB are shown.
        Ok((self.best(boots)? / MIB) as f64)
    }
}

/// Boots Debian's disk with this initrd, several times, each with another length of the command line,
/// which are the same for all initrds.
fn boots(initrd: &[u8], option: &str) -> Result<Vec<Report>> {
    let script = SCRIPT_TEXT.replace(SCRIPT_PORT, target().result_device);
    let layer = Layer::new().file("report-init", 0o755, script.as_bytes());
    let archive = archive::newc(&layer, archive::Style::default());
    // Where the next archive of a classic initramfs may start, too.
    let gap = initrd.len().next_multiple_of(4) - initrd.len();
    let initrd = [initrd, &vec![0; gap], &archive].concat();
    let disk = tools::made("disk.ext4")?;
    let boot = |padding: usize| {
        let padding = "x".repeat(padding - option.len());
        let machine = Machine::new().initrd_bytes(initrd.clone()).root_disk(&disk);
        let machine =
            machine.append(&format!("initoverlayfs={option} {SCRIPT} probe.pad={padding}"));
        let machine =
            machine.accel(&tools::counting_with_disk()).memory(1024).time_limit(TIME_LIMIT);
        Ok(machine.quiet().run()?.report)
    };
    PADDINGS.into_iter().map(boot).collect()
}

/// Returns what counts of the boots from an initrd, and what the boots reported.
pub fn row(generator: &str, kind: &str, initrd: &[u8], option: &str) -> Result<(Row, Vec<Report>)> {
    eprintln!("distro: booting {}", format!("{generator}, {kind}").trim_start_matches(", "));
    let boots = boots(initrd, option)?;
    let available = |stage| Figure::Available(stage).mib(&boots);
    let row = Row {
        generator: generator.to_owned(),
        kind: kind.to_owned(),
        bytes: initrd.len().try_into()?,
        seconds: Stages {
            init: Figure::Init.seconds(&boots)?,
            real_init: Figure::RealInit.seconds(&boots)?,
            up: Figure::Up.seconds(&boots)?,
        },
        available_mib: Stages {
            init: available("initrd-init")?,
            real_init: available("real-init")?,
            up: available("disk")?,
        },
    };
    Ok((row, boots))
}
