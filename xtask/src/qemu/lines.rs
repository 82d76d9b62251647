// SPDX-License-Identifier: GPL-2.0-or-later
//! A unix socket that speaks in lines, read with a deadline: the shape of QMP and of the
//! guest's command port alike.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const RETRY: Duration = Duration::from_millis(20);

pub struct Lines {
    reader: BufReader<UnixStream>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
}

impl Lines {
    /// Connects as soon as the other side listens; `alive` fails when it never will.
    pub fn connect(
        path: &Path,
        deadline: Instant,
        mut alive: impl FnMut() -> Result<()>,
    ) -> Result<Lines> {
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => return Ok(Lines::new(stream)),
                Err(error) => {
                    alive()?;
                    if Instant::now() >= deadline {
                        return Err(error)
                            .with_context(|| format!("cannot connect to {}", path.display()));
                    }
                    sleep(RETRY);
                }
            }
        }
    }

    fn new(stream: UnixStream) -> Lines {
        Lines { reader: BufReader::new(stream), partial: Vec::new() }
    }

    pub fn send(&mut self, line: &str) -> Result<()> {
        let mut stream = self.reader.get_ref();
        stream.write_all(format!("{line}\n").as_bytes()).context("the other side is gone")
    }

    /// The next line, without its end.
    pub fn next(&mut self, deadline: Instant) -> Result<String> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no answer in time");
            }
            self.reader.get_ref().set_read_timeout(Some(left))?;
            match self.reader.read_until(b'\n', &mut self.partial) {
                Ok(_) if self.partial.ends_with(b"\n") => {
                    let line = String::from_utf8_lossy(&self.partial).trim_end().to_string();
                    self.partial.clear();
                    return Ok(line);
                }
                Ok(_) => bail!("the other side is gone"),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(error) => return Err(error).context("the other side is gone"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_millis(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    #[test]
    fn a_line_cut_by_a_deadline_is_not_lost() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(ours);
        theirs.write_all(b"{\"rea").unwrap();
        assert!(lines.next(in_millis(20)).is_err());
        theirs.write_all(b"dy\":1}\r\nnext\n").unwrap();
        assert_eq!(lines.next(in_millis(1000)).unwrap(), "{\"ready\":1}");
        assert_eq!(lines.next(in_millis(1000)).unwrap(), "next");
    }

    #[test]
    fn a_closed_socket_is_told_at_once() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let error = Lines::new(ours).next(in_millis(60_000)).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }

    #[test]
    fn a_dead_peer_ends_the_wait_for_its_socket() {
        let path = Path::new("/nonexistent/socket");
        let outcome = Lines::connect(path, in_millis(60_000), || bail!("it died"));
        assert_eq!(outcome.err().unwrap().to_string(), "it died");
    }
}
