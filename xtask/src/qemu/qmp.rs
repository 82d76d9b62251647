// SPDX-License-Identifier: GPL-2.0-or-later
//! QMP, synchronous and untyped. `qapi-spec` gives the envelope; replies stay JSON values,
//! because the typed commands of `qapi-qmp` drop members that are newer than that crate
//! (`holders`) and its events fail on names that it does not know.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use qapi_spec::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lines::Lines;

/// QEMU answers at once or not at all.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
pub struct Event {
    pub event: String,
    #[serde(default)]
    pub data: Value,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    Event(Event),
    Response(Response<Value>),
}

pub struct Qmp {
    lines: Lines,
    /// Came while a command waited for its answer.
    events: Vec<Event>,
}

impl Qmp {
    pub fn connect(
        path: &Path,
        deadline: Instant,
        alive: impl FnMut() -> Result<()>,
    ) -> Result<Qmp> {
        let mut lines = Lines::connect(path, deadline, alive)?;
        lines.next(deadline).context("no QMP greeting")?;
        let mut qmp = Qmp { lines, events: Vec::new() };
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// A refusal by QEMU is an error that holds a `qapi_spec::Error`.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let deadline = Instant::now() + ANSWER_LIMIT;
        let request = json!({ "execute": command, "arguments": arguments });
        self.lines.send(&request.to_string())?;
        loop {
            match self.receive(deadline).with_context(|| command.to_string())? {
                Message::Event(event) => self.events.push(event),
                Message::Response(response) => {
                    return response.result().with_context(|| command.to_string());
                }
            }
        }
    }

    /// The data of the next event of that name; others are dropped.
    pub fn wait_for(&mut self, name: &str, deadline: Instant) -> Result<Value> {
        for event in std::mem::take(&mut self.events) {
            if event.event == name {
                return Ok(event.data);
            }
        }
        loop {
            match self.receive(deadline).with_context(|| format!("event {name}"))? {
                Message::Event(event) if event.event == name => return Ok(event.data),
                _ => (),
            }
        }
    }

    fn receive(&mut self, deadline: Instant) -> Result<Message> {
        let line = self.lines.next(deadline)?;
        serde_json::from_str(&line).with_context(|| format!("not a QMP message: {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn unknown_members_and_events_survive() {
        let Message::Response(response) =
            message(r#"{"return": [{"id": "t0", "holders": [{"type": "other"}]}]}"#)
        else {
            panic!("not a response");
        };
        assert_eq!(response.result().unwrap()[0]["holders"][0]["type"], "other");

        let Message::Event(event) = message(r#"{"event": "OF_THE_FUTURE", "data": {"x": 1}}"#)
        else {
            panic!("not an event");
        };
        assert_eq!(event.event, "OF_THE_FUTURE");
        assert_eq!(event.data["x"], 1);
    }

    #[test]
    fn a_refusal_keeps_its_words() {
        let Message::Response(response) =
            message(r#"{"error": {"class": "GenericError", "desc": "object 't0' is in use"}}"#)
        else {
            panic!("not a response");
        };
        assert_eq!(response.result().unwrap_err().desc, "object 't0' is in use");
    }
}
