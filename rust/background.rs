// SPDX-License-Identifier: GPL-2.0-only

//! Work that nobody has to wait for.
//!
//! C source: `kernel/async.c`. `kernel_init()` waits for all such work before it starts init.

use kernel::prelude::*;

use crate::bindings;

/// Something to be done once, by another thread, before `/init` runs.
pub(crate) trait Job: Send + 'static {
    /// Does it. This is a kernel thread in the initial namespaces.
    fn run(self);
}

/// Has another thread do it, or does it at once if there is no memory for that.
pub(crate) fn run<J: Job>(job: J) {
    let mut job = Some(job);
    if let Ok(room) = KBox::<Option<J>>::new_uninit(GFP_KERNEL) {
        let data = KBox::into_raw(room.write(job.take()));
        // SAFETY: The function gets what it expects, and is called once.
        unsafe {
            bindings::async_schedule_node(
                Some(trampoline::<J>),
                data.cast(),
                bindings::NUMA_NO_NODE,
            )
        };
    }
    if let Some(job) = job {
        job.run();
    }
}

/// Runs the job that `data` points to.
///
/// # Safety
///
/// `data` is a box of an `Option<J>` turned into a pointer, and nobody else uses it.
unsafe extern "C" fn trampoline<J: Job>(data: *mut c_void, _cookie: bindings::async_cookie_t) {
    // SAFETY: By this function's contract.
    let job = unsafe { KBox::<Option<J>>::from_raw(data.cast()) };
    if let Some(job) = KBox::into_inner(job) {
        job.run();
    }
}
