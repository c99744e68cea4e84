// SPDX-License-Identifier: GPL-2.0-only
//! One boot in QEMU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use tempfile::TempDir;

use crate::console::Console;
use crate::emulator::wait;
use crate::ending::Ending;
use crate::firmware::Firmware;
use crate::report::Report;
use crate::target::target;
use crate::tools;

/// What a boot may take, before `QEMU_TIMEOUT_SCALE`.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Bytes of the largest page that a kernel has on any of the machines.
const LARGEST_PAGE: usize = 65_536;
/// Every message, and a reset at once on panic.
const COMMAND_LINE: &str = "loglevel=7 panic=-1";

/// A virtual machine to be booted once, in a temporary directory of its own.
pub struct Machine {
    kernel: Option<PathBuf>,
    initrd: Option<Initrd>,
    disk: Option<PathBuf>,
    keeps_disk: bool,
    firmware: Option<Firmware>,
    append: String,
    orders: String,
    memory_mib: u32,
    cpus: u32,
    time_limit: Duration,
    accel: Vec<String>,
    arguments: Vec<String>,
    quiet: bool,
    count_memory: bool,
    until: Option<(Port, String)>,
}

/// Where a text is waited for.
#[derive(Clone, Copy)]
enum Port {
    Console,
    Result,
}

/// The initrd: a fixture, or bytes that a test made.
enum Initrd {
    Path(PathBuf),
    Bytes(Vec<u8>),
}

/// A boot that ended as it should.
#[derive(Debug)]
pub struct Boot {
    /// What the probe sent.
    pub report: Report,
    /// The console log.
    pub console: Console,
    /// From the emulator's start to its end.
    pub elapsed: Duration,
    /// How many kB of the guest's memory were ever read or written, if they were counted.
    pub touched_kb: u64,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// Returns a machine with one processor, 512 MiB and neither initrd nor disk.
    pub fn new() -> Self {
        Self {
            kernel: None,
            initrd: None,
            disk: None,
            keeps_disk: false,
            firmware: None,
            append: String::new(),
            orders: "report".to_owned(),
            memory_mib: 512,
            cpus: 1,
            time_limit: TIME_LIMIT,
            accel: tools::accel(),
            arguments: Vec::new(),
            quiet: false,
            count_memory: false,
            until: None,
        }
    }

    /// Boots this file, which holds the kernel under test, instead of the kernel itself.
    pub fn kernel(mut self, path: impl Into<PathBuf>) -> Self {
        self.kernel = Some(path.into());
        self
    }

    /// Boots with this file as initrd.
    pub fn initrd(mut self, path: impl Into<PathBuf>) -> Self {
        self.initrd = Some(Initrd::Path(path.into()));
        self
    }

    /// Boots with these bytes as initrd, all of whose memory can be given back: where the kernel keeps a page that
    /// the initrd does not fill, zeroes fill it.
    pub fn whole_pages(self, mut bytes: Vec<u8>) -> Self {
        if target().keeps_partial_pages {
            bytes.resize(bytes.len().next_multiple_of(LARGEST_PAGE), 0);
        }
        self.initrd_bytes(bytes)
    }

    /// Boots with these bytes as initrd.
    pub fn initrd_bytes(mut self, bytes: Vec<u8>) -> Self {
        self.initrd = Some(Initrd::Bytes(bytes));
        self
    }

    /// Adds a virtio disk with this content; what the guest writes to it is thrown away.
    pub fn disk(mut self, path: impl Into<PathBuf>) -> Self {
        self.disk = Some(path.into());
        self
    }

    /// Adds the disk as above, but what the guest writes to it stays.
    pub fn kept_disk(mut self, path: impl Into<PathBuf>) -> Self {
        self.keeps_disk = true;
        self.disk(path)
    }

    /// Adds the disk as above, and names it as the root to fall back to.
    pub fn root_disk(self, path: impl Into<PathBuf>) -> Self {
        self.disk(path).append("root=/dev/vda rw")
    }

    /// Boots by UEFI what is in `partition`, by the name that [`target`] has for it, instead of the kernel, the
    /// initrd and the command line.
    pub fn firmware(mut self, image: impl Into<PathBuf>, partition: impl Into<PathBuf>) -> Self {
        let partition = Some(partition.into());
        self.firmware = Some(Firmware { image: image.into(), partition });
        self
    }

    /// Boots the kernel by UEFI: its stub gets the initrd from the firmware (LoadFile2).
    pub fn uefi(mut self, image: impl Into<PathBuf>) -> Self {
        self.firmware = Some(Firmware { image: image.into(), partition: None });
        self
    }

    /// Adds parameters to the kernel command line.
    pub fn append(mut self, words: &str) -> Self {
        self.append += " ";
        self.append += words;
        self
    }

    /// Tells the probe what to do, as a comma-separated list.
    pub fn orders(mut self, orders: &str) -> Self {
        self.orders = orders.to_owned();
        self
    }

    /// Sets the memory.
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Sets the number of processors.
    pub fn cpus(mut self, count: u32) -> Self {
        self.cpus = count;
        self
    }

    /// Sets what the boot may take, before `QEMU_TIMEOUT_SCALE`.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Replaces the accelerator and processor arguments.
    pub fn accel(mut self, words: &str) -> Self {
        self.accel = words.split_whitespace().map(str::to_owned).collect();
        self
    }

    /// Adds arguments of the emulator's.
    pub fn arguments(mut self, words: &[impl AsRef<str>]) -> Self {
        self.arguments.extend(words.iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Keeps the console log of a good boot to itself.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Counts how much of the guest's memory is ever touched.
    pub fn count_memory(mut self) -> Self {
        self.count_memory = true;
        self
    }

    /// Returns the kernel command line.
    pub fn command_line(&self) -> String {
        let more = tools::kernel_append();
        let parameters = target().parameters;
        format!("{parameters} {COMMAND_LINE}{more} probe.do={}{}", self.orders, self.append)
    }

    /// Boots; anything but a complete report and a console without faults is an error.
    pub fn run(self) -> Result<Boot> {
        let quiet = self.quiet;
        let ending = self.boot()?;
        let judge = || -> Result<Report> {
            let status = ending.status.context("timed out: the guest hangs")?;
            if let Some(panic) = ending.console.panic() {
                bail!("the guest panicked: {panic}");
            }
            ensure!(status.success(), "the emulator failed ({status}): {}", ending.complaints);
            let report = Report::parse(ending.report())?;
            let faults = ending.console.faults();
            ensure!(faults.is_empty(), "the console shows {faults:#?}");
            Ok(report)
        };
        let report = judge().with_context(|| ending.story())?;
        if !quiet {
            // Test runners show this only if an assertion fails later on.
            println!("{}", ending.console);
        }
        let Ending { console, elapsed, touched_kb, .. } = ending;
        Ok(Boot { report, console, elapsed, touched_kb })
    }

    /// Boots a machine that is expected to panic before any init runs; anything else is an error.
    pub fn run_to_panic(self) -> Result<Console> {
        let ending = self.boot()?;
        let judge = || -> Result<()> {
            let status = ending.status.context("timed out: the guest hangs")?;
            ensure!(status.success(), "the emulator failed ({status}): {}", ending.complaints);
            ensure!(ending.console.panic().is_some(), "the guest ended without a panic");
            let sent = String::from_utf8_lossy(&ending.result);
            ensure!(sent.is_empty(), "an init ran before the panic, it sent {sent}");
            Ok(())
        };
        judge().with_context(|| ending.story())?;
        println!("{}", ending.console);
        Ok(ending.console)
    }

    /// Boots a machine that may end in a report, in a panic, or in an init that gives up, which shows as
    /// neither. A hang, or signs of any other trouble, are an error.
    pub fn run_to_any_end(self) -> Result<(Option<Report>, Console)> {
        let ending = self.boot()?;
        let judge = || -> Result<Option<Report>> {
            let status = ending.status.context("timed out: the guest hangs")?;
            ensure!(status.success(), "the emulator failed ({status}): {}", ending.complaints);
            let before = ending.console.before_panic();
            let faults = before.faults();
            ensure!(faults.is_empty(), "the console shows {faults:#?}");
            Ok(Report::parse(&ending.result).ok())
        };
        let report = judge().with_context(|| ending.story())?;
        Ok((report, ending.console))
    }

    /// Boots until the console shows a text, and returns the console up to then. A hang, or signs of trouble,
    /// are an error.
    pub fn run_to_text(self, text: &str) -> Result<Console> {
        self.run_until(Port::Console, text)
    }

    /// Boots until the guest sends a text where reports go, and returns the console up to then. A hang, or signs of
    /// trouble, are an error.
    pub fn run_to_report(self, text: &str) -> Result<Console> {
        self.run_until(Port::Result, text)
    }

    fn run_until(mut self, port: Port, text: &str) -> Result<Console> {
        self.until = Some((port, text.to_owned()));
        let ending = self.boot()?;
        let judge = || -> Result<()> {
            let has_come = match port {
                Port::Console => ending.console.has(text),
                Port::Result => Console::new(&ending.result).has(text),
            };
            ensure!(has_come, "the guest does not say {text:?}");
            let faults = ending.console.faults();
            ensure!(faults.is_empty(), "the console shows {faults:#?}");
            Ok(())
        };
        judge().with_context(|| ending.story())?;
        Ok(ending.console)
    }

    /// Starts the emulator and waits for its end.
    fn boot(self) -> Result<Ending> {
        let limit = tools::scaled(self.time_limit)?;
        let place = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
        let mut command = self.command(place.path())?;
        let complaints = place.path().join("stderr");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&complaints)?);
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot run {}", tools::qemu()))?;
        let mut touched_kb = 0;
        let has_come = || {
            self.until.as_ref().is_some_and(|(port, text)| {
                let name = match port {
                    Port::Console => "console",
                    Port::Result => "result",
                };
                let said = fs::read(place.path().join(name)).unwrap_or_default();
                Console::new(&said).has(text)
            })
        };
        let status = wait(&mut child, limit, &mut touched_kb, has_come);
        if !matches!(status, Ok(Some(_))) {
            child.kill().context("cannot stop the emulator")?;
            child.wait()?;
        }
        let read = |name: &str| fs::read(place.path().join(name)).unwrap_or_default();
        Ok(Ending {
            has_firmware: self.firmware.is_some(),
            console: Console::new(&read("console")),
            result: read("result"),
            complaints: String::from_utf8_lossy(&read("stderr")).trim().to_owned(),
            status: status?,
            elapsed: start.elapsed(),
            touched_kb,
        })
    }

    /// Returns the emulator's command line, with files in `place`.
    fn command(&self, place: &Path) -> Result<Command> {
        let mut command = Command::new(tools::qemu());
        command.env("TMPDIR", place); // for what a guest writes to its disk
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.args(target().machine).args(&self.accel).args(&self.arguments);
        command.args(["-m", &format!("{}M", self.memory_mib), "-smp", &self.cpus.to_string()]);
        if self.count_memory {
            // Memory of a kind that the host accounts for separately, in pages of the small size.
            let size = self.memory_mib;
            command.arg("-object").arg(format!("memory-backend-memfd,id=ram,size={size}M"));
            command.args(["-machine", "memory-backend=ram"]);
        }
        command.arg("-serial").arg(format!("file:{}", place.join("console").display()));
        let result = place.join("result");
        command.arg("-chardev").arg(format!("file,id=result,path={}", result.display()));
        command.args(target().result_port);
        if self.firmware.as_ref().is_none_or(|firmware| firmware.partition.is_none()) {
            self.load(place, &mut command)?;
        }
        if let Some(disk) = &self.disk {
            let disk = disk.display();
            command.arg("-drive");
            let snapshot = if self.keeps_disk { "off" } else { "on" };
            command.arg(format!("file={disk},if=virtio,format=raw,snapshot={snapshot}"));
        }
        // Behind the disk, which is /dev/vda in any case.
        for drive in self.firmware.iter().flat_map(Firmware::drives) {
            command.arg("-drive").arg(drive);
        }
        Ok(command)
    }

    /// Has the emulator itself load kernel, command line and initrd.
    fn load(&self, place: &Path, command: &mut Command) -> Result<()> {
        command.arg("-kernel").arg(self.kernel.clone().map_or_else(tools::kernel, Ok)?);
        command.arg("-append").arg(self.command_line());
        match &self.initrd {
            None => {}
            Some(Initrd::Path(path)) => {
                command.arg("-initrd").arg(path);
            }
            Some(Initrd::Bytes(bytes)) => {
                let path = place.join("initrd");
                fs::write(&path, bytes).context("cannot write the initrd")?;
                command.arg("-initrd").arg(path);
            }
        }
        Ok(())
    }
}
