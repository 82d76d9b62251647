// SPDX-License-Identifier: GPL-2.0-or-later
//! One work tree for each point of the series, moved in place so that a build in it stays warm.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::ctx::Ctx;
use crate::git::{Git, is_work_tree};
use crate::lock::{self, Lock};
use crate::series::Series;
use crate::version::Point;

/// Written once a work tree is where we put it.
const STAMP: &str = "xtask-commit";

pub struct Worktree {
    pub git: Git,
    /// False if the user works in it: it is left as it stands.
    pub exact: bool,
    pending: PathBuf,
    /// Nobody else moves or builds it meanwhile.
    _lock: Lock,
}

impl Worktree {
    pub fn dir(&self) -> &Path {
        &self.git.dir
    }

    /// From now on others move this tree: the next user puts it back, whatever it finds.
    pub fn lend(&self) -> Result<()> {
        fs::write(&self.pending, "").context("cannot mark the work tree")
    }
}

/// The work tree of a point, at that point's commit, with the crate linked in.
pub fn at(ctx: &Ctx, series: &Series, point: Point) -> Result<Worktree> {
    let depth = series.depth(point);
    let commit = series.commit(ctx, depth)?;
    named(ctx, series, &point.to_string(), &commit, point == Point::Tip)
}

/// The work tree `name`, moved to `commit`; `yours` ones may hold the user's own work.
pub fn named(
    ctx: &Ctx,
    series: &Series,
    name: &str,
    commit: &str,
    yours: bool,
) -> Result<Worktree> {
    let dir = series.base.dir.join(name);
    let lock = lock::acquire(ctx, &series.base.dir.join(format!("{name}.lock")))?;
    let place =
        Place { git: Git::at(&dir), pending: series.base.dir.join(format!("{name}.pending")) };
    if name != "base" && !is_work_tree(&dir) {
        place.create(series, name, commit, yours)?;
    }
    let exact = place.settle(ctx, commit, yours)?;
    link_crate(ctx, &dir)?;
    Ok(Worktree { git: place.git, exact, pending: place.pending, _lock: lock })
}

struct Place {
    git: Git,
    /// Exists while we change the tree: what an interrupt left half-made may be thrown away.
    pending: PathBuf,
}

impl Place {
    fn create(&self, series: &Series, name: &str, commit: &str, yours: bool) -> Result<()> {
        if self.git.dir.exists()
            && fs::read_dir(&self.git.dir)?.next().is_some()
            && !self.pending.exists()
        {
            bail!("{} is in the way: move it elsewhere", self.git.dir.display());
        }
        fs::write(&self.pending, "")?;
        let _ = fs::remove_dir_all(&self.git.dir);
        let repository = &series.base.git;
        repository.run(["worktree", "prune"])?;
        let dir = self.git.dir.to_string_lossy();
        let add = ["worktree", "add", "--quiet", "--force"];
        let what: &[&str] =
            if yours { &["-B", name, &dir, commit] } else { &["--detach", &dir, commit] };
        crate::cmd::read(&repository.command(add.iter().chain(what).copied()))
            .context("cannot make the work tree")
            .map(drop)
    }

    /// Moves the tree to `commit` unless it holds work of the user's; true if it is there.
    fn settle(&self, ctx: &Ctx, commit: &str, yours: bool) -> Result<bool> {
        let stamp = self.git.private_dir()?.join(STAMP);
        self.git.drop_stale_lock()?;
        let head = self.git.commit("HEAD").unwrap_or_default();
        let last = fs::read_to_string(&stamp).unwrap_or_default();
        if !self.pending.exists() {
            let changes = self.git.local_changes()?;
            if head == commit && changes.is_empty() {
                fs::write(&stamp, commit)?;
                return Ok(true);
            }
            if head != last || !changes.is_empty() {
                return self.leave(ctx, commit, &last, &changes, yours);
            }
        }
        fs::write(&self.pending, "")?;
        self.git.run(["reset", "--quiet", "--hard", commit])?;
        fs::write(&stamp, commit).context("cannot mark the work tree")?;
        fs::remove_file(&self.pending).context("cannot mark the work tree")?;
        Ok(true)
    }

    fn leave(
        &self,
        ctx: &Ctx,
        commit: &str,
        last: &str,
        changes: &[String],
        yours: bool,
    ) -> Result<bool> {
        let dir = self.git.dir.display();
        let what =
            if changes.is_empty() { "commits of its own".into() } else { changes.join(", ") };
        if !yours {
            // Not to `commit`, which need not be the same the next time.
            let back = if last.is_empty() { commit } else { last };
            bail!("{dir} was changed by hand ({what}); undo it: git -C {dir} reset --hard {back}");
        }
        if !last.is_empty() && last != commit {
            bail!(
                "both patches/ and {dir} changed ({what}); keep the tree's: cargo xtask patches refresh; \
                 keep patches/: git -C {dir} reset --hard {commit}"
            );
        }
        ctx.ui.say(format!(
            "note: {dir} is used as it stands ({what}); patches/ knows nothing of that"
        ));
        Ok(false)
    }
}

/// QEMU finds the crate as a subproject; commits that do not use it do not look there.
fn link_crate(ctx: &Ctx, dir: &Path) -> Result<()> {
    let link = dir.join("subprojects/qemu-iothread");
    if fs::read_link(&link).ok().as_deref() == Some(&*ctx.root) {
        return Ok(());
    }
    if link.is_symlink() {
        fs::remove_file(&link)?;
    }
    symlink(&ctx.root, &link)
        .with_context(|| format!("cannot link the crate to {}", link.display()))
}
