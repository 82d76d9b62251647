// SPDX-License-Identifier: GPL-2.0-or-later
//! Who calls the library is compiled: what configure leaves out, no test can say anything about.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::build::{Built, compilations};
use crate::git::Git;

/// A call, in the words of git grep -E.
const CALL: &str = r"\biothread_[a-z_]+ *\(";

pub fn compiled(built: &Built) -> Result<()> {
    let callers = Git::at(&built.source).read(["grep", "-lE", CALL, "--", "*.c"])?;
    let commands = compilations(&built.build)?;
    let compiled: BTreeSet<String> = commands.into_iter().map(|command| command.file).collect();
    let left_out: Vec<&str> =
        callers.lines().filter(|file| !compiled.contains(&format!("../{file}"))).collect();
    ensure!(left_out.is_empty(), "not compiled: {}", left_out.join(" "));
    Ok(())
}
