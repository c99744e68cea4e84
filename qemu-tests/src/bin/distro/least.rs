// SPDX-License-Identifier: GPL-2.0-only
//! The least memory with which a real image boots up to a landmark.
//!
//! On one processor, by an ordinary clock. What the guest says decides: a process that is killed for want of memory ends
//! the boot, and so does an archive that is unpacked in part. The limit of the time is for a guest that waits for ever.

use std::time::Duration;

use anyhow::Result;
use qemu_tests::least::search;
use qemu_tests::machine::Machine;
use qemu_tests::tools;

use crate::generators::Landmark;

const TIME_LIMIT: Duration = Duration::from_secs(90);
/// Ends a boot at the first process that is killed, and where an initramfs would ask somebody what to do.
const ENDS: &str = "sysctl.vm.panic_on_oom=1 rd.shell=0 rd.emergency=poweroff systemd.default_timeout_start_sec=60";
/// The installer asks on the console, and with little memory the same question as with much.
const INSTALLER: &str = "DEBIAN_FRONTEND=text lowmem=+0";
/// Says [`REAL_INIT`] as the init of Debian's disk, and becomes the one that is there.
const REPORTING_INIT: &str = "init=/usr/local/sbin/report-init";
const REAL_INIT: &str = "stage real-init";

/// Returns the least memory in MiB; nothing if the image does not boot with any.
pub fn mib(initrd: &[u8], option: &str, landmark: Landmark) -> Result<Option<u32>> {
    let disk = tools::made("disk.ext4")?;
    search(0, |mib| {
        let machine = Machine::new().initrd_bytes(initrd.to_vec()).memory(mib);
        let machine = machine.append(&format!("initoverlayfs={option} {ENDS}"));
        let machine = machine.time_limit(TIME_LIMIT).quiet();
        let ended = match landmark {
            Landmark::RealInit => {
                machine.root_disk(&disk).append(REPORTING_INIT).run_to_report(REAL_INIT)
            }
            Landmark::Question(text) => machine.append(INSTALLER).run_to_text(text),
        };
        // An emulator that refuses, a hang and a kernel that complains are all too little memory.
        Ok(ended.is_ok_and(|console| console.unpacking_error().is_none()))
    })
}
