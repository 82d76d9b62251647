// SPDX-License-Identifier: GPL-2.0-or-later
//! The line to a running program: its monitor on standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::mask::Mask;
use super::talk::Talk;

/// How long a program may think about one line.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Line {
    to: Option<ChildStdin>,
    from: Receiver<String>,
    stderr: JoinHandle<String>,
    mask: Mask,
}

impl Line {
    pub fn new(child: &mut Child) -> Result<Line> {
        let (sender, from) = channel();
        let stdout = child.stdout.take().context("no stdout")?;
        let mut stderr = child.stderr.take().context("no stderr")?;
        spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end_matches('\r').to_string();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Line {
            to: child.stdin.take(),
            from,
            stderr: spawn(move || {
                let mut bytes = Vec::new();
                let _ = stderr.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            }),
            mask: Mask::new(child.id())?,
        })
    }

    /// A program that has ended shows it by not answering.
    pub fn send(&mut self, text: &str) {
        if let Some(to) = &mut self.to {
            let _ = writeln!(to, "{text}").and_then(|()| to.flush());
        }
    }

    /// The next line that is no event; none if the program has closed its output.
    pub fn reply(&mut self, talk: &mut Talk) -> Result<Option<String>> {
        loop {
            match self.next()? {
                Some(line) if is_event(&line) => talk.events.push(line),
                reply => return Ok(reply),
            }
        }
    }

    /// Waits until so many events of this name have come; false if the output ended before.
    pub fn events(&mut self, name: &str, count: usize, talk: &mut Talk) -> Result<bool> {
        let wanted = format!("\"event\": \"{name}\"");
        let come = |talk: &Talk| talk.events.iter().filter(|event| event.contains(&wanted)).count();
        while come(talk) < count {
            match self.next()? {
                Some(line) if is_event(&line) => talk.events.push(line),
                Some(line) => bail!("a reply while waiting for {name}: {line}"),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Closes the program's input and takes down what it still prints.
    pub fn hang_up(&mut self, talk: &mut Talk) -> Result<()> {
        self.to = None;
        let mut rest = Vec::new();
        while let Some(line) = self.reply(talk)? {
            rest.push(line);
        }
        talk.stdout_rest.push_str(&rest.join("\n"));
        Ok(())
    }

    /// All that the program has written there; waits until it is closed.
    pub fn stderr(self) -> String {
        self.stderr.join().unwrap_or_default()
    }

    /// The next line, masked; none when the output has ended.
    fn next(&mut self) -> Result<Option<String>> {
        match self.from.recv_timeout(PATIENCE) {
            Ok(line) => Ok(Some(self.mask.apply(&line))),
            Err(Disconnected) => Ok(None),
            Err(Timeout) => bail!("no answer within {} s", PATIENCE.as_secs()),
        }
    }
}

fn is_event(line: &str) -> bool {
    line.starts_with(r#"{"timestamp": "#)
}
