// SPDX-License-Identifier: GPL-2.0-only
//! All that an init can see of its root and of itself, as lines `see KEY VALUE`, so that two boots can be
//! compared: what is there ([`surroundings`]), then what can be done ([`actions`]).

mod actions;
mod surroundings;

use std::fmt::Display;
use std::io;

use anyhow::Result;

use crate::channel::Channel;

/// Sends everything. The root is changed by it.
pub fn report(channel: &mut Channel) -> Result<()> {
    let mut seen = Seen(Vec::new());
    surroundings::look(&mut seen)?;
    actions::try_all(&mut seen);
    for (key, value) in seen.0 {
        channel.say("see", format!("{key} {value}"))?;
    }
    Ok(())
}

/// Facts in the order in which they were seen.
struct Seen(Vec<(String, String)>);

impl Seen {
    /// Notes a fact.
    fn note(&mut self, key: impl Display, value: impl Display) {
        self.0.push((key.to_string().replace(' ', "_"), value.to_string()));
    }

    /// Notes what came of something: a value, or the name of an error.
    fn result<T: Display>(&mut self, key: impl Display, result: io::Result<T>) {
        match result {
            Ok(value) => self.note(key, value),
            Err(error) => self.note(key, format!("error: {error}")),
        }
    }
}
