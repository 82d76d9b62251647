// SPDX-License-Identifier: GPL-2.0-or-later
//! The patch series as git sees it. Each patch becomes a commit once, kept under a name made of
//! the base and all patches up to it; the same patches always give the same commits.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::cmd::read;
use crate::ctx::Ctx;
use crate::flags;
use crate::git::Git;
use crate::lock;
use crate::setup::source::{self, Base};
use crate::version::{Point, Tree, Version};

pub struct Series {
    pub base: Base,
    pub patches: Vec<PathBuf>,
}

/// Where a version's patches lie.
pub fn patch_dir(ctx: &Ctx, version: Version) -> PathBuf {
    ctx.root.join("patches").join(format!("v{version}"))
}

/// The patches of a version in order, as its `series` file lists them.
pub fn list(ctx: &Ctx, version: Version) -> Result<Vec<PathBuf>> {
    let dir = patch_dir(ctx, version);
    let path = dir.join("series");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let names =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let patches: Vec<_> = names.map(|name| dir.join(name)).collect();
    match patches.iter().find(|patch| !patch.exists()) {
        Some(patch) => bail!("{} names {}, which does not exist", path.display(), patch.display()),
        None => Ok(patches),
    }
}

/// Ends with the exit code for wrong usage if the tree's series has no such point; it needs no more
/// than `patches/` to tell.
pub fn expect(ctx: &Ctx, tree: &Tree, point: Point) -> Result<()> {
    let version = source::version(tree)?;
    depth(version, list(ctx, version)?.len(), point);
    Ok(())
}

fn depth(version: Version, count: usize, point: Point) -> usize {
    match point {
        Point::Base => 0,
        Point::Tip => count,
        Point::At(n) if n <= count => n,
        Point::At(n) => {
            flags::wrong_usage(format!("the series for {version} has {count} patches, not {n}"))
        }
    }
}

impl Series {
    pub fn open(ctx: &Ctx, tree: &Tree) -> Result<Series> {
        let base = source::base(ctx, tree)?;
        let patches = list(ctx, base.version)?;
        Ok(Series { base, patches })
    }

    /// The number of patches up to a point.
    pub fn depth(&self, point: Point) -> usize {
        depth(self.base.version, self.patches.len(), point)
    }

    /// The commit after the first `depth` patches; applies what was never applied before.
    pub fn commit(&self, ctx: &Ctx, depth: usize) -> Result<String> {
        let start =
            self.base.git.commit("base").context("the base repository has no branch base")?;
        commit_on(ctx, &self.base, &start, &self.patches[..depth])
    }

    /// The number of patches after which `iothread.c` is gone and the library is linked.
    pub fn switch(&self, ctx: &Ctx) -> Result<usize> {
        for depth in 1..=self.patches.len() {
            let file = format!("{}:iothread.c", self.commit(ctx, depth)?);
            if !self.base.git.succeeds(["cat-file", "-e", &file]) {
                return Ok(depth);
            }
        }
        bail!("no commit of the series links the library")
    }
}

/// The commit that `patches` make on top of `start`.
pub fn commit_on(ctx: &Ctx, base: &Base, start: &str, patches: &[PathBuf]) -> Result<String> {
    if patches.is_empty() {
        return Ok(start.to_string());
    }
    let names = chain(start, patches)?;
    let known = |name: &String| base.git.commit(name);
    if let Some(commit) = known(&names[patches.len()]) {
        return Ok(commit);
    }
    let _lock = lock::acquire(ctx, &base.dir.join("apply.lock"))?;
    let (mut done, mut commit) = (0, start.to_string());
    for (depth, name) in names.iter().enumerate().skip(1) {
        if let Some(found) = known(name) {
            (done, commit) = (depth, found);
        }
    }
    let scratch = Scratch::new(base, &commit, &patches[done..])?;
    for (patch, name) in patches[done..].iter().zip(&names[done + 1..]) {
        scratch.apply(patch)?;
        commit = scratch.git.commit("HEAD").context("git am made no commit")?;
        base.git.run(["update-ref", name, &commit])?;
    }
    Ok(commit)
}

/// `refs/series/<digest>` for each depth from 0 on.
fn chain(start: &str, patches: &[PathBuf]) -> Result<Vec<String>> {
    let mut names = vec![format!("refs/series/{start}")];
    let mut digest = start.to_string();
    for patch in patches {
        let bytes = fs::read(patch).with_context(|| format!("cannot read {}", patch.display()))?;
        let next = Sha256::new().chain_update(&digest).chain_update(bytes).finalize();
        digest = format!("{next:x}");
        names.push(format!("refs/series/{digest}"));
    }
    Ok(names)
}

/// A worktree that has only the files that the patches touch: applying takes no time.
struct Scratch {
    repository: Git,
    git: Git,
}

impl Scratch {
    fn new(base: &Base, commit: &str, patches: &[PathBuf]) -> Result<Scratch> {
        let dir = base.dir.join(".apply");
        let scratch = Scratch { repository: base.git.clone(), git: Git::at(&dir) };
        scratch.sweep();
        let path = dir.to_string_lossy();
        let add =
            ["worktree", "add", "--quiet", "--force", "--detach", "--no-checkout", &path, commit];
        scratch.repository.run(add)?;
        let mut sparse = vec!["sparse-checkout".into(), "set".into(), "--no-cone".into()];
        for patch in patches {
            sparse
                .extend(touched(&scratch.repository, patch)?.iter().map(|file| format!("/{file}")));
        }
        read(&scratch.git.command(sparse))?;
        scratch.git.run(["read-tree", "-mu", "HEAD"])?;
        Ok(scratch)
    }

    fn apply(&self, patch: &Path) -> Result<()> {
        let path = patch.to_string_lossy();
        let am = ["am", "--quiet", "--committer-date-is-author-date", "--no-3way", &path];
        self.git.run(am).map_err(|error| misfit(patch, &format!("{error:#}")))
    }

    fn sweep(&self) {
        let path = self.git.dir.to_string_lossy().to_string();
        // Left by a run that was killed, or not there at all.
        let _ = fs::remove_dir_all(&self.git.dir);
        let _ = self.repository.run(["worktree", "prune"]);
        let _ = self.repository.run(["worktree", "remove", "--force", &path]);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// The files that a patch touches, with the old names of renamed ones.
pub fn touched(git: &Git, patch: &Path) -> Result<BTreeSet<String>> {
    let text =
        fs::read_to_string(patch).with_context(|| format!("cannot read {}", patch.display()))?;
    let path = patch.to_string_lossy();
    let numstat = git.read(["apply", "--numstat", &path])?;
    let new = numstat.lines().filter_map(|line| line.split('\t').nth(2)).map(str::to_string);
    let old = text.lines().filter_map(|line| line.strip_prefix("rename from ")).map(str::to_string);
    Ok(new.chain(old).collect())
}

/// What to tell when a patch does not fit: the patch, the file, the way out.
fn misfit(patch: &Path, git_says: &str) -> anyhow::Error {
    let name = patch.file_name().unwrap_or_default().to_string_lossy();
    let at: Vec<&str> = git_says
        .lines()
        .filter_map(|line| line.strip_prefix("error: "))
        .filter(|line| {
            line.starts_with("patch failed")
                || line.contains("does not")
                || line.contains("already exists")
        })
        .collect();
    let place = if at.is_empty() { git_says.trim().to_string() } else { at.join("; ") };
    if at.iter().any(|line| line.contains("iothread-test.c: already exists")) {
        return anyhow::anyhow!(
            "this QEMU tree has patches of the series already: build it as it is, or name one \
             without them (--qemu 10.2 or 10.0 takes the released source)"
        );
    }
    anyhow::anyhow!(
        "patch {name} does not fit this QEMU tree: {place}\n\
         take back the tree's own changes to that file, or use the released source (--qemu 10.2 or 10.0)"
    )
}
