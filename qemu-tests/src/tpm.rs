// SPDX-License-Identifier: GPL-2.0-only
//! A TPM for a guest: swtpm, which keeps its state as long as the machine runs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::target::target;

/// The longest time until swtpm listens.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A new TPM 2.0, whose registers are those of a machine that has not started yet.
pub struct Tpm {
    process: Child,
    place: TempDir,
}

impl Tpm {
    /// Starts one.
    pub fn new() -> Result<Self> {
        let place = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
        let socket = place.path().join("socket");
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--tpmstate"]);
        command.arg(format!("dir={}", place.path().display()));
        command.arg("--ctrl").arg(format!("type=unixio,path={}", socket.display()));
        let process = command.stdout(Stdio::null()).spawn().context("cannot run swtpm")?;
        let tpm = Self { process, place };
        let start = Instant::now();
        while !socket.exists() {
            ensure!(start.elapsed() < TIME_LIMIT, "swtpm does not listen");
            sleep(Duration::from_millis(20));
        }
        Ok(tpm)
    }

    /// Returns the emulator's arguments for it.
    pub fn arguments(&self) -> [String; 6] {
        let socket = self.place.path().join("socket");
        [
            "-chardev".to_owned(),
            format!("socket,id=tpm,path={}", socket.display()),
            "-tpmdev".to_owned(),
            "emulator,id=tpm0,chardev=tpm".to_owned(),
            "-device".to_owned(),
            format!("{},tpmdev=tpm0", target().tpm),
        ]
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        // Where no emulator was started, it would wait for one. An error means that it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns what a register that holds `register`, of SHA-256, holds after `word` is measured into it, in hexadecimal.
///
/// As the TPM's specification has it (TPM2_PCR_Extend): the digest of both digests.
pub fn extended(register: &str, word: &str) -> Result<String> {
    let byte = |at: usize| -> Result<u8> {
        let digits = register.get(at..at + 2).context("an odd number of digits")?;
        u8::from_str_radix(digits, 16).with_context(|| format!("{register} is no register"))
    };
    let mut bytes = (0..register.len()).step_by(2).map(byte).collect::<Result<Vec<u8>>>()?;
    bytes.extend(Sha256::digest(word));
    Ok(hex(&Sha256::digest(bytes)))
}

/// Returns the SHA-256 of a file, in hexadecimal.
pub fn digest(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hex(&Sha256::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
