// SPDX-License-Identifier: GPL-2.0-only
//! Boots, several at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;

use anyhow::{anyhow, Result};

/// Boots at a time: neither the counting clock nor an init's report depends on the host's load.
const AT_A_TIME: usize = 2;

/// Does the work for each number below `count`; returns the results in this order.
pub fn map<T: Send>(count: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(());
            }
            let result = work(index)?;
            results.lock().map_err(|_| anyhow!("a boot panicked"))?.push((index, result));
        }
    };
    thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        for boots in running {
            boots.join().map_err(|_| anyhow!("a boot's thread panicked"))??;
        }
        Ok(())
    })?;
    let mut results = results.into_inner().map_err(|_| anyhow!("a boot panicked"))?;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
