// SPDX-License-Identifier: GPL-2.0-or-later
//! A clone that costs nothing: the crate's files by symlink, a target and a cache of its own.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use duct::{Expression, cmd};
use tempfile::TempDir;

use crate::cmd::output;
use crate::ctx::Ctx;

pub struct Sandbox {
    dir: TempDir,
    program: PathBuf,
}

/// How a run ended.
pub struct Ended {
    pub code: Option<i32>,
    pub text: String,
}

impl Ended {
    /// Fails unless it failed as it should and said all this.
    pub fn must_say(&self, phrases: &[&str]) -> Result<()> {
        self.must_exit(1)?;
        let errors = self.text.lines().filter(|line| line.starts_with("error:"));
        ensure!(errors.count() <= 1, "more than one error:\n{}", self.text);
        self.says(phrases)
    }

    pub fn must_exit(&self, code: i32) -> Result<()> {
        ensure!(self.code == Some(code), "exit code {:?}:\n{}", self.code, self.text);
        Ok(())
    }

    pub fn says(&self, phrases: &[&str]) -> Result<()> {
        for phrase in phrases {
            ensure!(self.text.contains(phrase), "it does not say {phrase:?}:\n{}", self.text);
        }
        Ok(())
    }
}

impl Sandbox {
    pub fn new(ctx: &Ctx) -> Result<Sandbox> {
        let dir = tempfile::tempdir().context("cannot make a directory")?;
        for entry in fs::read_dir(&ctx.root)?.flatten() {
            if entry.file_name() != "target" {
                symlink(entry.path(), dir.path().join(entry.file_name()))?;
            }
        }
        fs::create_dir(dir.path().join("cache"))?;
        fs::create_dir(dir.path().join("bin"))?;
        // A copy, because another user may not see where cargo put it.
        let program = dir.path().join("bin/xtask");
        fs::copy(env::current_exe()?, &program).context("cannot copy this program")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Sandbox { dir, program })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The Python tools that earlier runs left in the cache are there too.
    pub fn share_tools(&self, ctx: &Ctx) -> Result<()> {
        self.share(ctx, "venv-")
    }

    /// So are the packages of QEMU's source.
    pub fn share_downloads(&self, ctx: &Ctx) -> Result<()> {
        self.share(ctx, "src")
    }

    fn share(&self, ctx: &Ctx, prefix: &str) -> Result<()> {
        fs::create_dir_all(self.path("cache/qemu-iothread"))?;
        for entry in fs::read_dir(&ctx.cache)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                let to = self.path("cache/qemu-iothread").join(entry.file_name());
                symlink(entry.path(), to)?;
            }
        }
        Ok(())
    }

    /// A program that comes before the machine's own of that name.
    pub fn fake(&self, name: &str, script: &str) -> Result<()> {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?)
    }

    pub fn xtask(&self, words: &[&str]) -> Expression {
        self.with_environment(cmd(&self.program, words))
    }

    /// The same by another program, such as one that drops rights.
    pub fn xtask_by(&self, before: &[&str], words: &[&str]) -> Expression {
        let program = self.program.display().to_string();
        let words = [&before[1..], &[&program], words].concat();
        self.with_environment(cmd(before[0], words))
    }

    fn with_environment(&self, expression: Expression) -> Expression {
        let path = env::var("PATH").unwrap_or_default();
        expression
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("CARGO_MANIFEST_DIR", self.path("xtask"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HOME", self.dir.path())
            .dir(self.dir.path())
    }
}

/// Runs to the end, all output in one text.
pub fn run(expression: &Expression) -> Result<Ended> {
    let output = output(&expression.stderr_to_stdout().stdout_capture())?;
    let text = String::from_utf8_lossy(&output.stdout).to_string();
    Ok(Ended { code: output.status.code(), text })
}

/// True if nothing was left in a directory (or the directory itself was not).
pub fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}
