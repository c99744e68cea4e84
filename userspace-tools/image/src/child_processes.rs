// SPDX-License-Identifier: GPL-2.0-only

//! Programs that this one has started, and that are to end with it if a signal does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, ExitStatus, Output};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{kill_process_group, Pid, Signal};
use shared_child::SharedChild;

/// The time that a group has to end by itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of times that it is looked at until then.
const ASKED: u32 = 200;

/// A program that was started.
struct Started {
    child: Arc<SharedChild>,
    /// The group of all that it starts itself, if it has one of its own.
    group: Option<Pid>,
}

impl Started {
    /// Ends it. A group is asked first: `fakeroot` has a server to end, which is in no group.
    fn end(&self) {
        if let Some(group) = self.group {
            // What is not there any more has ended.
            let _ = kill_process_group(group, Signal::INT);
            for _ in 0..ASKED {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    break;
                }
                thread::sleep(PATIENCE / ASKED);
            }
            let _ = kill_process_group(group, Signal::KILL);
        }
        // What cannot be ended has ended.
        let _ = self.child.kill();
    }
}

/// The children that are running, by a number that no other one has at that time.
static RUNNING: Mutex<BTreeMap<u64, Started>> = Mutex::new(BTreeMap::new());

fn running() -> MutexGuard<'static, BTreeMap<u64, Started>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends them all, and waits until they are gone. For a program that is about to end: whoever starts
/// another one, or waits for one, waits for that end.
pub fn end_all() {
    let children = running();
    children.values().for_each(Started::end);
    for started in children.values() {
        let _ = started.child.wait();
    }
    // Else another thread would report that its child failed, and could end the program before the
    // caller has cleaned up.
    std::mem::forget(children);
}

/// A running program. Dropped, it goes on until it ends by itself or by [`end_all`].
pub struct Running {
    child: Arc<SharedChild>,
    number: u64,
}

impl Running {
    /// Starts a program.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        Self::note(command, |_| None)
    }

    /// Starts one that starts others, which are to end with it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start_group(command: &mut Command) -> io::Result<Self> {
        Self::note(command.process_group(0), |child| {
            Pid::from_raw(i32::try_from(child.id()).ok()?)
        })
    }

    fn note(
        command: &mut Command,
        group: impl FnOnce(&SharedChild) -> Option<Pid>,
    ) -> io::Result<Self> {
        let mut running = running();
        let child = Arc::new(SharedChild::spawn(command)?);
        let group = group(&child);
        let number = running.last_key_value().map_or(0, |(last, _)| last + 1);
        let started = Started {
            child: Arc::clone(&child),
            group,
        };
        running.insert(number, started);
        Ok(Self { child, number })
    }

    /// Takes its input, the first time, if that is a pipe.
    pub fn take_input(&self) -> Option<ChildStdin> {
        self.child.take_stdin()
    }

    /// Returns a meter of the bytes that it reads, for another thread.
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.child))
    }

    /// Waits for its end. An input that was not taken is closed before.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn wait(self) -> io::Result<ExitStatus> {
        drop(self.take_input());
        let status = self.child.wait();
        running().remove(&self.number);
        status
    }

    /// Waits for its end, and collects what it writes into pipes until then.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn output(self) -> io::Result<Output> {
        let (out, err) = (self.child.take_stdout(), self.child.take_stderr());
        let (stdout, stderr) = thread::scope(|scope| {
            let stderr = scope.spawn(|| all_of(err));
            // A panic is none of reading.
            (
                all_of(out),
                stderr.join().unwrap_or_else(|_| Ok(Vec::new())),
            )
        });
        let status = self.wait()?;
        Ok(Output {
            status,
            stdout: stdout?,
            stderr: stderr?,
        })
    }
}

/// Measures what a program reads.
pub struct Meter(Arc<SharedChild>);

impl Meter {
    /// Returns how many bytes the program has read so far, pipes included: `rchar` in `/proc/PID/io`. Nothing if the
    /// system does not count, or the program has ended.
    pub fn bytes_read(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/io", self.0.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("rchar: "))?;
        line.parse().ok()
    }
}

/// Reads to the end.
fn all_of(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
