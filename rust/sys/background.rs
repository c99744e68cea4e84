// SPDX-License-Identifier: GPL-2.0-only

//! Work for the kernel's own threads.
//!
//! Unsafe, because C calls functions here with a pointer as their argument.
//!
//! C sources: [`kernel/async.c`](srctree/kernel/async.c),
//! [`kernel/workqueue.c`](srctree/kernel/workqueue.c). `kernel_init()` waits for all asynchronous
//! work before it starts init.

use kernel::prelude::*;

use crate::sys::bindings;

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

/// A call that another thread makes.
struct Call<A, R> {
    function: fn(A) -> R,
    /// Taken by the thread.
    argument: Option<A>,
    /// Left by the thread.
    result: Option<R>,
}

/// Has a kernel thread call the function, and waits for its result.
///
/// Files that a kernel thread closes are closed by the kernel soon afterwards. Those that PID 1
/// closes in an initcall stay open until it starts init.
pub(crate) fn call<A: Send, R: Send>(function: fn(A) -> R, argument: A) -> Option<R> {
    let mut call = Call {
        function,
        argument: Some(argument),
        result: None,
    };
    // SAFETY: The function gets what it expects. It is called once, and `call` outlives that, as
    // the end of the work is waited for.
    unsafe {
        bindings::initoverlayfs_call_apart(Some(call_trampoline::<A, R>), (&raw mut call).cast())
    };
    call.result
}

/// Makes the [`Call`] that `data` points to.
///
/// # Safety
///
/// `data` points to a `Call<A, R>` that nobody else uses meanwhile.
unsafe extern "C" fn call_trampoline<A, R>(data: *mut c_void) {
    // SAFETY: By this function's contract.
    let call = unsafe { &mut *data.cast::<Call<A, R>>() };
    call.result = call.argument.take().map(call.function);
}
