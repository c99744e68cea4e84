// SPDX-License-Identifier: GPL-2.0-only
//! Boots on a clock that counts instructions.
//!
//! Each instruction takes 2 ns, whatever the host does, so the figures repeat; they do not know cache
//! misses. The length of the kernel command line shifts when background work runs, so every initrd
//! is booted with the same command lines, of several lengths, and the median counts.
//!
//! What counts as copied: of an archive, the contents of its files, which the stock code writes into a
//! tmpfs before `/init`; of an image in memory, the bytes that its filesystem was given of it up to a stage, as
//! they are stored there, so compressed if it is. What is decompressed then is not added, nor is what
//! a process reads from the page cache.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use qemu_tests::machine::Machine;
use qemu_tests::report::Section;
use qemu_tests::tools::{counting, counting_with_disk};

use crate::candidates::{Candidate, Kind};
use crate::parallel;
use crate::results::{Row, Stages};

/// Command lines grow by this much from one boot to the next.
const PADDING: usize = 16;
/// The options of all initrds are padded to this length, as it shifts the figures.
const OPTION: usize = 200;
/// A single boot's limit; counting is slow.
const TIME_LIMIT: Duration = Duration::from_secs(3600);
/// What one boot showed; the same as in a [`Row`].
struct Sample {
    run_ms: f64,
    at_ms: Stages,
    available_mib: Stages,
    free_mib: Stages,
    left_mib: f64,
    leave_ms: f64,
    touched_mib: f64,
    copied: Option<Stages>,
}

/// A step of the boot, and how many milliseconds it took.
type Phase = (String, f64);

/// What is known of an initrd so far.
#[derive(Default)]
struct Findings {
    samples: Vec<Sample>,
    /// Of what is ours; empty if the kernel has no debugfs.
    phases: Option<Vec<Phase>>,
}

/// What a boot has shown.
enum Found {
    Sample(Sample),
    Phases(Vec<Phase>),
}

impl Findings {
    fn add(&mut self, found: Found) {
        match found {
            Found::Sample(sample) => self.samples.push(sample),
            Found::Phases(phases) => self.phases = Some(phases),
        }
    }
}

/// What a boot is for.
#[derive(Clone, Copy)]
enum Purpose {
    /// The figures of a row, with a command line of this many steps.
    Figures(usize),
    /// The component's own phases, without the log on the serial line: the thread that writes it takes its
    /// turn in whichever phase a tick comes.
    Phases,
}

/// Returns how many command lines an initrd is booted with. What that moves is less than 0.1 ms, so one is
/// enough where a boot takes minutes.
fn lengths(candidate: &Candidate) -> usize {
    let most = if candidate.format.is_slow { 100 } else { 300 };
    if candidate.mb <= most {
        3
    } else {
        1
    }
}

/// Boots all of them, and takes the medians; leaves out what cannot be booted.
pub fn measure(candidates: &[Candidate], memory_mib: u32) -> Result<Vec<Row>> {
    let boots: Vec<(usize, Purpose)> = candidates
        .iter()
        .enumerate()
        .flat_map(|(index, candidate)| {
            let figures = (1..=lengths(candidate)).map(Purpose::Figures);
            let phases = candidate.format.kind.is_ours().then_some(Purpose::Phases);
            figures.chain(phases).map(move |purpose| (index, purpose))
        })
        .collect();
    let found = parallel::map(boots.len(), |number| {
        let (index, purpose) = boots.get(number).context("no such boot")?;
        let candidate = candidates.get(*index).context("no such candidate")?;
        let found = find(candidate, memory_mib, *purpose).inspect_err(|error| {
            // The row will be missing, and the others need not be measured again.
            eprintln!("bench: {}, {} MB: {error:#}", candidate.format.name, candidate.mb);
        });
        Ok((*index, found.ok()))
    })?;
    let mut findings: Vec<Findings> = candidates.iter().map(|_| Findings::default()).collect();
    for (index, found) in found {
        let of_it = findings.get_mut(index).context("no such candidate")?;
        found.into_iter().for_each(|found| of_it.add(found));
    }
    let all = candidates.iter().zip(findings);
    let is_known = |candidate: &Candidate, found: &Findings| {
        let has_phases = found.phases.is_some() || !candidate.format.kind.is_ours();
        !found.samples.is_empty() && has_phases
    };
    all.filter(|(candidate, found)| is_known(candidate, found))
        .map(|(candidate, found)| row(candidate, found))
        .collect()
}

/// Boots for a purpose, and says what is measured.
fn find(candidate: &Candidate, memory_mib: u32, purpose: Purpose) -> Result<Found> {
    let (name, mb) = (candidate.format.name, candidate.mb);
    match purpose {
        Purpose::Figures(step) => {
            let sample = sample(candidate, machine(candidate, memory_mib, step))?;
            eprintln!("bench: {name}, {mb} MB: /init starts at {:.2} ms", sample.at_ms.init);
            Ok(Found::Sample(sample))
        }
        Purpose::Phases => {
            let machine = machine(candidate, memory_mib, 1).append("quiet").orders("start");
            let boot = machine.quiet().run()?;
            Ok(Found::Phases(phases(boot.report.stage("initrd")?)?))
        }
    }
}

/// Returns the machine for a boot; everything but the initrd is the same for all.
fn machine(candidate: &Candidate, memory_mib: u32, step: usize) -> Machine {
    let option = format!("{} probe.fill={:.<2$}", candidate.option, "", OPTION);
    let padding = "x".repeat(step * PADDING);
    let machine = Machine::new().initrd(&candidate.initrd).orders("start,read10,read,leave");
    let machine = machine.append(&format!("{} probe.pad={padding}", &option[..OPTION]));
    let clock = if candidate.disk.is_some() { counting_with_disk() } else { counting() };
    let machine = machine.accel(&clock).memory(memory_mib).time_limit(TIME_LIMIT);
    match &candidate.disk {
        Some(disk) => machine.disk(PathBuf::from(disk)),
        None => machine,
    }
}

fn sample(candidate: &Candidate, machine: Machine) -> Result<Sample> {
    let boot = machine.count_memory().quiet().run()?;
    let found = boot.report.stage("initrd")?;
    // A nanosecond each, on this clock.
    let start = found.number("start.cycles")?;
    let [tenth, rest] = [numbers(found, "tenth")?, numbers(found, "rest")?];
    let memory = |stage| numbers(found, &format!("memory.{stage}"));
    let [init, ten, all] = [memory("init")?, memory("tenth")?, memory("all")?];
    let next = boot.report.stage("disk")?;
    let left = numbers(next, "memory.left")?;
    Ok(Sample {
        run_ms: Duration::from_micros(found.number("ran")?).as_secs_f64() * 1e3,
        at_ms: stages([start, start + tenth[0], start + tenth[0] + rest[0]].map(ms)),
        available_mib: stages([init[0], ten[0], all[0]].map(mib)),
        free_mib: stages([init[1], ten[1], all[1]].map(mib)),
        left_mib: mib(left[0]),
        leave_ms: (next.number("start")? - next.number("left")?) as f64 / 1e6,
        touched_mib: mib(boot.touched_kb),
        copied: copied(candidate, found)?,
    })
}

/// At least two numbers, as a line has them.
fn numbers(found: &Section, key: &str) -> Result<Vec<u64>> {
    let line = found.get(key)?;
    let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>();
    let numbers = numbers.with_context(|| format!("{key} is {line:?}"))?;
    anyhow::ensure!(numbers.len() >= 2, "{key} is {line:?}");
    Ok(numbers)
}

/// Nanoseconds as milliseconds.
fn ms(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64() * 1e3
}

/// Kilobytes as MiB.
fn mib(kb: u64) -> f64 {
    // PRECISION: Far below the 53 bits that a double holds exactly.
    kb as f64 / 1024.0
}

fn stages([init, tenth, all]: [f64; 3]) -> Stages {
    Stages { init, tenth, all }
}

/// Returns the bytes copied up to each stage.
fn copied(candidate: &Candidate, found: &Section) -> Result<Option<Stages>> {
    if let Kind::Cpio(_) = candidate.format.kind {
        let content = candidate.content as f64;
        return Ok(Some(stages([content; 3])));
    }
    let served = |stage| -> Result<Option<u64>> {
        let lines = found.all(&format!("layer.{stage}"));
        let images: Vec<Vec<&str>> =
            lines.iter().map(|line| line.split_whitespace().collect()).collect();
        let is_image =
            |words: &&Vec<&str>| words.first() != Some(&"#") && words.get(1) != Some(&"cpio");
        let of_images = images.iter().filter(is_image);
        let served: Vec<u64> = of_images
            .map(|words| words.get(5).context("a layer without SERVED")?.parse().context("SERVED"))
            .collect::<Result<_>>()?;
        Ok((!served.is_empty()).then(|| served.iter().sum()))
    };
    let [init, tenth, all] = [served("init")?, served("tenth")?, served("all")?];
    let all_known = init.zip(tenth).zip(all);
    Ok(all_known.map(|((init, tenth), all)| stages([init, tenth, all].map(|n| n as f64))))
}

/// Returns the component's own phases, of which the kernel tells nanoseconds.
fn phases(found: &Section) -> Result<Vec<Phase>> {
    let phase = |line: &str| -> Result<Phase> {
        let (name, ns) = line.split_once(' ').with_context(|| format!("phase {line:?}"))?;
        Ok((name.to_owned(), ms(ns.trim().parse()?)))
    };
    found.all("phase").into_iter().map(phase).collect()
}

/// Returns the medians; with a disk the least, as the host's load can only add to what it takes.
fn row(candidate: &Candidate, found: Findings) -> Result<Row> {
    let Findings { samples, phases } = found;
    let of = |figure: &dyn Fn(&Sample) -> f64| match candidate.disk {
        None => median(samples.iter().map(figure).collect()),
        Some(_) => Ok(samples.iter().map(figure).fold(f64::INFINITY, f64::min)),
    };
    let of_stages = |figure: &dyn Fn(&Sample) -> Stages| -> Result<Stages> {
        Ok(Stages {
            init: of(&|sample| figure(sample).init)?,
            tenth: of(&|sample| figure(sample).tenth)?,
            all: of(&|sample| figure(sample).all)?,
        })
    };
    let first = samples.first().context("no boots")?;
    Ok(Row {
        initrd: candidate.format.name.to_owned(),
        has_disk: candidate.disk.is_some(),
        payload_mb: candidate.mb,
        bytes: candidate.bytes,
        boots: samples.len(),
        run_ms: of(&|sample| sample.run_ms)?,
        at_ms: of_stages(&|sample| sample.at_ms)?,
        available_mib: of_stages(&|sample| sample.available_mib)?,
        free_mib: of_stages(&|sample| sample.free_mib)?,
        left_mib: of(&|sample| sample.left_mib)?,
        leave_ms: of(&|sample| sample.leave_ms)?,
        touched_mib: of(&|sample| sample.touched_mib)?,
        least: None,
        copied_bytes: first
            .copied
            .is_some()
            .then(|| of_stages(&|sample| sample.copied.unwrap_or_default()))
            .transpose()?,
        phases: phases.unwrap_or_default(),
    })
}

/// Returns the middle value.
pub fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}
