// SPDX-License-Identifier: GPL-2.0-only

//! Programs that this one has started, and that are to end with it if a signal does.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::{ChildStdin, Command, ExitStatus, Output};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use shared_child::SharedChild;

/// Those that are running, by a number that no other one has at that time.
static RUNNING: Mutex<BTreeMap<u64, Arc<SharedChild>>> = Mutex::new(BTreeMap::new());

fn running() -> MutexGuard<'static, BTreeMap<u64, Arc<SharedChild>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends them all, and waits until they are gone. For a program that is about to end: whoever starts
/// another one, or waits for one, waits for that end.
pub fn end_all() {
    let children = running();
    for child in children.values() {
        // What cannot be ended has ended.
        let _ = child.kill();
    }
    for child in children.values() {
        let _ = child.wait();
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
        let mut running = running();
        let child = Arc::new(SharedChild::spawn(command)?);
        let number = running.last_key_value().map_or(0, |(last, _)| last + 1);
        running.insert(number, Arc::clone(&child));
        Ok(Self { child, number })
    }

    /// Its input, the first time, if that is a pipe.
    pub fn take_input(&self) -> Option<ChildStdin> {
        self.child.take_stdin()
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

/// Reads to the end.
fn all_of(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
