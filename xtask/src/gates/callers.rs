// SPDX-License-Identifier: GPL-2.0-or-later
//! Who calls the library is compiled: what configure leaves out, no test can say anything about.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::build::Built;
use crate::git::Git;

/// A call, in the words of git grep -E.
const CALL: &str = r"\biothread_[a-z_]+ *\(";

#[derive(Deserialize)]
struct Compiled {
    file: String,
}

pub fn compiled(built: &Built) -> Result<()> {
    let callers = Git::at(&built.source).read(["grep", "-lE", CALL, "--", "*.c"])?;
    let commands = File::open(built.build.join("compile_commands.json"))?;
    let commands: Vec<Compiled> =
        serde_json::from_reader(BufReader::new(commands)).context("the compiler's commands")?;
    let compiled: BTreeSet<String> = commands.into_iter().map(|command| command.file).collect();
    let left_out: Vec<&str> =
        callers.lines().filter(|file| !compiled.contains(&format!("../{file}"))).collect();
    ensure!(left_out.is_empty(), "not compiled: {}", left_out.join(" "));
    Ok(())
}
