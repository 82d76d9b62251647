// SPDX-License-Identifier: GPL-2.0-or-later
//! Standard output, which carries results and nothing else.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use anyhow::{Result, bail};

/// What went wrong with the first line that was lost.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes a line. What a run does is not given up for it; `all_written` tells in the end.
pub fn line(text: Arguments) {
    match writeln!(io::stdout(), "{text}") {
        // Nobody need read on: `| head` is no error.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = LOST.set(error);
        }
        _ => {}
    }
}

/// Fails if a line was lost.
pub fn all_written() -> Result<()> {
    match LOST.get() {
        Some(error) => bail!("the results could not be written to standard output: {error}"),
        None => Ok(()),
    }
}
