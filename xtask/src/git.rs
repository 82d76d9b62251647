// SPDX-License-Identifier: GPL-2.0-or-later
//! git, deaf to the user's configuration and to the environment of a hook.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use duct::{Expression, cmd};

use crate::cmd::{read, succeeds};

/// Commits that the tool makes carry this name; patches keep their authors.
const IDENTITY: &str = "qemu-iothread";

/// A work tree to run git in.
#[derive(Clone)]
pub struct Git {
    pub dir: PathBuf,
}

impl Git {
    pub fn at(dir: impl Into<PathBuf>) -> Git {
        Git { dir: dir.into() }
    }

    pub fn command<I, A>(&self, args: I) -> Expression
    where
        I: IntoIterator<Item = A>,
        A: Into<OsString>,
    {
        // No detached garbage collection, no file watcher: they outlive the command.
        let fixed =
            ["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.fsmonitor=false"];
        let args = fixed.into_iter().map(OsString::from).chain(args.into_iter().map(Into::into));
        let mut git = cmd("git", args)
            .dir(&self.dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C");
        for role in ["AUTHOR", "COMMITTER"] {
            git = git
                .env(format!("GIT_{role}_NAME"), IDENTITY)
                .env(format!("GIT_{role}_EMAIL"), format!("{IDENTITY}@localhost"));
        }
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            git = git.env_remove(name);
        }
        git
    }

    pub fn read<A: Into<OsString>, const N: usize>(&self, args: [A; N]) -> Result<String> {
        read(&self.command(args))
    }

    pub fn run<A: Into<OsString>, const N: usize>(&self, args: [A; N]) -> Result<()> {
        self.read(args).map(drop)
    }

    pub fn succeeds<A: Into<OsString>, const N: usize>(&self, args: [A; N]) -> bool {
        succeeds(&self.command(args))
    }

    /// The commit that a name stands for, if there is one.
    pub fn commit(&self, name: &str) -> Option<String> {
        self.read(["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).ok()
    }

    /// git's own directory for this work tree (a worktree has one to itself).
    pub fn private_dir(&self) -> Result<PathBuf> {
        Ok(PathBuf::from(self.read(["rev-parse", "--absolute-git-dir"])?))
    }

    /// What is changed and not committed; untracked files do not count.
    pub fn local_changes(&self) -> Result<Vec<String>> {
        let text = self.read(["status", "--porcelain", "--untracked-files=no"])?;
        Ok(text.lines().map(|line| line.get(2..).unwrap_or(line).trim().to_string()).collect())
    }

    /// A lock left by a git that was killed; whoever calls holds our own lock, so it is stale.
    pub fn drop_stale_lock(&self) -> Result<()> {
        let lock = self.private_dir()?.join("index.lock");
        if lock.exists() {
            std::fs::remove_file(&lock)?;
        }
        Ok(())
    }
}

/// True if the directory is the top of a work tree.
pub fn is_work_tree(dir: &Path) -> bool {
    dir.join(".git").exists()
}
