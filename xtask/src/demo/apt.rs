// SPDX-License-Identifier: GPL-2.0-or-later
//! Debian packages that are looked into, not installed: the machine's own sources, read with
//! its own lists or, where it has none, with lists in the user's cache folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::{Expression, cmd};

use crate::cmd::{Step, read};
use crate::ctx::Ctx;

pub struct Apt {
    /// Empty: the machine's own state.
    options: Vec<String>,
}

impl Apt {
    /// Ready to give `package`.
    pub fn new(ctx: &Ctx, package: &str) -> Result<Apt> {
        let of_machine = Apt { options: Vec::new() };
        if of_machine.control_of(package).is_ok() {
            return Ok(of_machine);
        }
        let apt = Apt { options: private_state(&ctx.cache.join("apt-machine"))? };
        let update = apt.run("apt-get", &["--quiet", "update"]);
        Step::new("read the package lists", "guest-kernel-lists", update).run(ctx)?;
        apt.control_of(package).with_context(|| {
            format!("apt's sources (/etc/apt/sources.list*) offer no {package}: add Debian's")
        })?;
        Ok(apt)
    }

    pub fn control_of(&self, package: &str) -> Result<String> {
        read(&self.run("apt-cache", &["show", "--no-all-versions", package]))
    }

    /// Leaves the package file in the folder in which it runs.
    pub fn download(&self, package: &str) -> Expression {
        self.run("apt-get", &["--quiet", "download", package])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Expression {
        let arguments = arguments.iter().map(|argument| (*argument).to_string());
        cmd(program, self.options.iter().cloned().chain(arguments)).env("LC_ALL", "C")
    }
}

fn private_state(dir: &Path) -> Result<Vec<String>> {
    let mut options = Vec::new();
    for (option, folder) in [("Dir::State::Lists", "lists"), ("Dir::Cache", "cache")] {
        let path: PathBuf = dir.join(folder);
        fs::create_dir_all(path.join("partial"))
            .with_context(|| format!("cannot create {}", path.display()))?;
        options.push("-o".to_string());
        options.push(format!("{option}={}", path.display()));
    }
    Ok(options)
}
