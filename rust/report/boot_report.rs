// SPDX-License-Identifier: GPL-2.0-only

//! The report of the way to the root: in the log, and in debugfs.
//!
//! Nothing of it is told on the way. Each line of the log may have to go through a serial line, and
//! making files in debugfs takes as long as mounting.

use kernel::prelude::*;

use crate::{
    initrd::filesystem::Filesystem,
    memory::usage::Usage,
    parameter::options::Root,
    report::{
        failure::title,
        timeline::{
            Phase,
            Timeline, //
        }, //
    },
    sys::background::Job,
    words::Count, //
};

#[cfg(CONFIG_DEBUG_FS)]
use crate::sys::vfs::stat::Device;

/// The images that were found, the root made of them, and the time that took.
pub(crate) struct Account {
    /// The number of images.
    pub(crate) images: usize,
    /// The number of segments, archives included.
    pub(crate) segments: usize,
    /// The place of the first image, in bytes from the start of the initrd.
    pub(crate) offset: usize,
    /// The size of the first image, in bytes.
    pub(crate) len: usize,
    /// The size of the initrd, in bytes.
    pub(crate) total_len: usize,
    /// The filesystem of the first image.
    pub(crate) filesystem: Filesystem,
    /// The part that they play in the root.
    pub(crate) root: Root,
    /// The phases so far.
    pub(crate) timeline: Timeline,
    /// The layers, the lowest first.
    pub(crate) layers: KVec<Usage>,
    /// The number of the device that files of the root are on.
    #[cfg(CONFIG_DEBUG_FS)]
    pub(crate) device: Option<Device>,
}

impl Account {
    /// Nothing to tell but the time so far.
    pub(crate) fn new(timeline: Timeline) -> Self {
        Self {
            images: 0,
            segments: 0,
            offset: 0,
            len: 0,
            total_len: 0,
            filesystem: Filesystem::Erofs,
            root: Root::Overlay,
            timeline,
            layers: KVec::new(),
            #[cfg(CONFIG_DEBUG_FS)]
            device: None,
        }
    }

    /// Says what was found.
    pub(crate) fn log_found(&self) {
        pr_info!(
            "found {} in {}, the first, {}, at offset {:#x} of the initrd, {} KiB, in {} us\n",
            Count(self.images, "image"),
            Count(self.segments, "segment"),
            title(self.filesystem),
            self.offset,
            self.len / 1024,
            self.timeline.micros(|phase| phase == Phase::Claim)
        );
    }

    /// Says that all went well.
    fn log_success(&self) {
        self.log_found();
        let (kind, access) = match self.root {
            Root::Overlay => ("overlay", " of a tmpfs"),
            Root::ReadOnly => (self.filesystem.name(), ", read-only"),
            Root::ReadWrite => (self.filesystem.name(), ", writable in place"),
        };
        let is_hand_off = |phase| matches!(phase, Phase::Pivot | Phase::Devtmpfs);
        let is_other = |phase| matches!(phase, Phase::Claim | Phase::Wait);
        pr_info!(
            "mounted {kind}{access} over {}, {} KiB in place, in {} us\n",
            Count(self.layers.len(), "layer"),
            self.total_len / 1024,
            self.timeline
                .micros(|phase| !is_hand_off(phase) && !is_other(phase))
        );
        pr_info!(
            "handed off the root, in {} us\n",
            self.timeline.micros(is_hand_off)
        );
    }

    /// Shows it in debugfs for good.
    #[cfg(not(CONFIG_DEBUG_FS))]
    fn publish(self) {}
}

/// All went well.
impl Job for Account {
    fn run(self) {
        self.log_success();
        self.publish();
    }
}

#[cfg(CONFIG_DEBUG_FS)]
mod files {
    use super::Account;
    use kernel::{
        debugfs::Dir,
        fmt,
        prelude::*,
        sync::Arc, //
    };

    impl Account {
        /// Shows it in debugfs for good, as far as there is memory for that.
        pub(super) fn publish(self) {
            if let Err(error) = self.make_files() {
                pr_warn!(
                    "making files in debugfs failed: error {}, there are no statistics\n",
                    error.to_errno()
                );
            }
        }

        fn make_files(self) -> Result {
            let account = Arc::new(self, GFP_KERNEL)?;
            let dir = Dir::new(c"initoverlayfs");
            // The files, and with them the directory, stay as long as the kernel runs.
            let (data, all) = (account.clone(), GFP_KERNEL);
            core::mem::forget(KBox::pin_init(
                dir.read_callback_file(c"phases", data, &fmt_phases),
                all,
            )?);
            core::mem::forget(KBox::pin_init(
                dir.read_callback_file(c"layers", account.clone(), &fmt_layers),
                all,
            )?);
            core::mem::forget(KBox::pin_init(
                dir.read_callback_file(c"touched", account.clone(), &fmt_touched),
                all,
            )?);
            core::mem::forget(KBox::pin_init(
                dir.read_callback_file(c"device", account, &fmt_device),
                all,
            )?);
            Ok(())
        }
    }

    /// Prints a line for each phase: its name, and nanoseconds.
    fn fmt_phases(account: &Arc<Account>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!("{}", account.timeline))
    }

    /// Prints a line for each layer.
    fn fmt_layers(account: &Arc<Account>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# layer kind bytes held reads served touched\n")?;
        for (layer, usage) in account.layers.iter().enumerate() {
            f.write_fmt(fmt!("{layer} {usage}\n"))?;
        }
        Ok(())
    }

    /// Prints the number of the root's device, as `/proc/PID/mountinfo` has it.
    fn fmt_device(account: &Arc<Account>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match account.device {
            Some(device) => f.write_fmt(fmt!("{}:{}\n", device.major(), device.minor())),
            None => Ok(()),
        }
    }

    /// Prints a line for each run of blocks that were read: layer, first block, last block.
    fn fmt_touched(account: &Arc<Account>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (layer, usage) in account.layers.iter().enumerate() {
            for (first, last) in usage.runs() {
                f.write_fmt(fmt!("{layer} {first} {last}\n"))?;
            }
        }
        Ok(())
    }
}
