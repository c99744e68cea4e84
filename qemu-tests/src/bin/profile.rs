// SPDX-License-Identifier: GPL-2.0-only
//! Where do the instructions go between the component's first and `/init`'s first, or a program that takes the place of
//! `/init`? Counts them all in one
//! boot on the benchmark's clock, by function of the kernel and by call stack.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use clap::{Parser, ValueEnum};

use qemu_tests::machine::Machine;
use qemu_tests::profile::boot;
use qemu_tests::profile::stacks::Stacks;
use qemu_tests::profile::table::{self, Extent};
use qemu_tests::profile::window::Window;

/// The boot's limit; counting is slow.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Counts the guest's instructions from the claim to /init, by function of the kernel.
// The options that help does not show `scripts/profile` gives: where its files are, what is in the environment.
#[derive(Parser)]
#[command(override_usage = "scripts/profile [OPTIONS]")]
struct Options {
    /// The initrds to boot
    #[arg(long, hide = true)]
    initrd: PathBuf,
    /// Added to the kernel's command line
    #[arg(long, hide = true, default_value = "", allow_hyphen_values = true)]
    append: String,
    /// Memory of the guest in MiB
    #[arg(long, default_value_t = 2048)]
    memory: u32,
    /// Parts of the boot to print
    #[arg(long, value_delimiter = ',', default_value = "claim,mount,start")]
    parts: Vec<Part>,
    /// Functions to print of each part, those with the most instructions of their own
    #[arg(long, default_value_t = 40)]
    top: usize,
    /// Print branches of the call tree down to this part of all instructions, in percent
    #[arg(long, default_value_t = 1.0)]
    percent: f64,
    /// Go on until PID 1 has run so many other programs, such as the init of the disk, and count that as the part "init"
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    execs: u32,
    /// A disk with the root, as scripts/distro makes it
    #[arg(long, hide = true)]
    disk: Option<PathBuf>,
    /// Write all stacks to this file, for flame graphs
    #[arg(long, hide = true)]
    folded: Option<PathBuf>,
    /// The plugin for QEMU
    #[arg(long, hide = true)]
    plugin: PathBuf,
    /// The kernel's System.map
    #[arg(long, hide = true)]
    system_map: PathBuf,
}

/// A part of the boot.
#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Claim,
    Between,
    Mount,
    Start,
    Init,
    All,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("profile: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Boots, counts, prints.
fn run(options: &Options) -> Result<()> {
    let initrd = &options.initrd;
    ensure!(initrd.is_file(), "there is no {}", initrd.display());
    eprintln!("profile: booting {}", initrd.display());
    let machine = Machine::new().initrd(initrd).orders("start").append(&options.append);
    let machine = machine.memory(options.memory).time_limit(TIME_LIMIT);
    let machine = match &options.disk {
        Some(disk) => machine.root_disk(disk),
        None => machine,
    };
    let stacks = boot::count(machine, &options.plugin, &options.system_map, options.execs)?;
    if let Some(path) = &options.folded {
        fs::write(path, stacks.to_string())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&stacks, options)?;
    Ok(())
}

/// Prints the parts that are wanted.
fn print(stacks: &Stacks, options: &Options) -> io::Result<()> {
    let mut out = io::stdout().lock();
    table::print_parts(&mut out, stacks)?;
    let extent = Extent { functions: options.top, percent: options.percent };
    for part in &options.parts {
        let (name, window) = match part {
            Part::Claim => ("claim", Window::new(stacks.of("claim"))),
            Part::Between => ("between", Window::new(stacks.of("between"))),
            Part::Mount => ("mount", Window::new(stacks.of("mount"))),
            Part::Start => ("start", Window::new(stacks.of("start"))),
            Part::Init => ("init", Window::new(stacks.of("init"))),
            Part::All => ("all", Window::new(stacks.all())),
        };
        table::print(&mut out, name, &window, extent)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::CommandFactory;

    use super::Options;

    #[test]
    fn help_shows_what_is_for_people() {
        let command = Options::command();
        // The script's own options may be given only once.
        let script = fs::read_to_string("../scripts/profile").expect("scripts/profile");
        let is_internal = |option: &str| script.contains(&format!("--{option} "));
        for argument in command.get_arguments() {
            let option = argument.get_long().expect("no other arguments");
            assert_eq!(argument.is_hide_set(), is_internal(option), "--{option}");
        }
        let help = command.clone().render_help().to_string();
        assert!(help.contains("--top") && !help.contains("--plugin"), "{help}");
    }
}
