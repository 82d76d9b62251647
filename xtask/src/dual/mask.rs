// SPDX-License-Identifier: GPL-2.0-or-later
//! What differs between two runs of one program by nature: thread ids and times.
//!
//! A thread id becomes the number of its first appearance and the thread's name in the kernel, so
//! that "the same thread as before" and "the thread is called `IO t0`" are compared all the same.

use std::fs;

use anyhow::Result;
use regex_lite::{Captures, Regex};

pub struct Mask {
    thread: Regex,
    time: Regex,
    pid: u32,
    seen: Vec<String>,
}

impl Mask {
    /// `pid` is the process whose threads are meant.
    pub fn new(pid: u32) -> Result<Mask> {
        Ok(Mask {
            thread: Regex::new(r#"(thread[-_]id"?[:=] ?)([1-9]\d*)"#)?,
            time: Regex::new(r#"("timestamp": )\{"seconds": \d+, "microseconds": \d+\}"#)?,
            pid,
            seen: Vec::new(),
        })
    }

    pub fn apply(&mut self, line: &str) -> String {
        let Mask { thread, time, pid, seen } = self;
        let line = thread.replace_all(line, |found: &Captures| {
            let id = &found[2];
            let number = seen.iter().position(|known| known == id).unwrap_or_else(|| {
                seen.push(id.to_string());
                seen.len() - 1
            });
            format!("{}thread {} \"{}\"", &found[1], number + 1, thread_name(*pid, id))
        });
        time.replace_all(&line, "${1}masked").into_owned()
    }
}

fn thread_name(pid: u32, id: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/task/{id}/comm"))
        .map_or_else(|_| "no such thread".into(), |name| name.trim_end().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_number_and_shows_its_name() {
        let pid = std::process::id();
        let mut mask = Mask::new(pid).unwrap();
        let name = thread_name(pid, &pid.to_string());
        assert_ne!(name, "no such thread");
        let line = format!("\"thread-id\": {pid}, thread_id=999999999, thread_id={pid}");
        assert_eq!(
            mask.apply(&line),
            format!(
                "\"thread-id\": thread 1 \"{name}\", thread_id=thread 2 \"no such thread\", thread_id=thread 1 \"{name}\""
            )
        );
    }

    #[test]
    fn what_is_no_thread_stays() {
        let mut mask = Mask::new(1).unwrap();
        for line in ["\"thread-id\": 0", "\"thread-id\": -1", "thread_id=-1"] {
            assert_eq!(mask.apply(line), line);
        }
    }

    #[test]
    fn only_the_time_of_an_event_goes() {
        let mut mask = Mask::new(1).unwrap();
        assert_eq!(
            mask.apply(r#"{"timestamp": {"seconds": 17, "microseconds": 5}, "event": "STOP"}"#),
            r#"{"timestamp": masked, "event": "STOP"}"#
        );
        assert_eq!(mask.apply("\"id\": 5"), "\"id\": 5");
    }
}
