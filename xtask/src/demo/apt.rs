// SPDX-License-Identifier: GPL-2.0-or-later
//! Debian packages that are looked into, not installed: the machine's own sources, read with
//! its own lists or, where it has none, with lists in the user's cache folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use duct::{Expression, cmd};

use crate::cmd::{Step, read};
use crate::ctx::Ctx;

pub struct Apt {
    /// Empty: the machine's own state.
    options: Vec<String>,
}

impl Apt {
    pub fn of_machine() -> Apt {
        Apt { options: Vec::new() }
    }

    /// With lists that are read now.
    pub fn of_cache(ctx: &Ctx) -> Result<Apt> {
        let apt = Apt { options: private_state(&ctx.cache.join("apt-machine"))? };
        let update = apt.run("apt-get", &["--quiet", "update"]);
        Step::new("read the package lists", "guest-kernel-lists", update).run(ctx)?;
        Ok(apt)
    }

    pub fn control_of(&self, package: &str) -> Result<String> {
        read(&self.run("apt-cache", &["show", "--no-all-versions", package]))
    }

    pub fn download(&self, ctx: &Ctx, package: &str, dir: &Path) -> Result<()> {
        let get = self.run("apt-get", &["--quiet", "download", package]).dir(dir);
        Step::new(format!("download {package}"), "guest-kernel", get).run(ctx)?;
        Ok(())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Expression {
        let arguments = arguments.iter().map(|argument| (*argument).to_string());
        cmd(program, self.options.iter().cloned().chain(arguments)).env("LC_ALL", "C")
    }
}

/// `-c` is read after the machine's own configuration: the state is ours, its hooks do not run.
fn private_state(dir: &Path) -> Result<Vec<String>> {
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(dir.join(folder))
            .with_context(|| format!("cannot create {}", dir.join(folder).display()))?;
    }
    let config = dir.join("apt.conf");
    let dir = dir.display();
    let text = format!(
        "Dir::State::Lists \"{dir}/lists\";\nDir::Cache \"{dir}/cache\";\n\
         APT::Sandbox::User \"\";\n\
         #clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n"
    );
    fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    Ok(vec!["-c".into(), config.display().to_string()])
}
