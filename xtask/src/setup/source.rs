// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's source as a git repository, `target/qemu/<tree>/base`: branch `base` is the tree that
//! builds, branch `pristine` (made when asked for) the one without Debian's patches.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use duct::cmd;

use crate::cmd::{Step, succeeds};
use crate::ctx::Ctx;
use crate::git::{Git, is_work_tree};
use crate::lock;
use crate::setup::apt::Apt;
use crate::setup::import;
use crate::version::{Tree, Version};

const PACKAGE: &str = "qemu";
const EXCLUDES: &str = "/build\n/build-*\n/subprojects/qemu-iothread\n";

/// The repository of a tree; fetched, unpacked or copied if it is not there yet.
pub struct Base {
    pub git: Git,
    pub version: Version,
    /// `target/qemu/<tree>`, where the worktrees lie.
    pub dir: PathBuf,
}

pub fn base(ctx: &Ctx, tree: &Tree) -> Result<Base> {
    match tree {
        Tree::Release(version) => release(ctx, *version),
        Tree::Dir(dir) => import::import(ctx, dir),
    }
}

/// What getting the source of a release would take; `None` if it is unpacked.
pub fn missing(ctx: &Ctx, version: Version) -> Option<String> {
    if is_work_tree(&release_dir(ctx, version).join("base")) {
        None
    } else if cached(ctx, version).is_some() {
        Some("downloaded, to be unpacked".into())
    } else {
        Some("to be fetched by apt-get source".into())
    }
}

fn release_dir(ctx: &Ctx, version: Version) -> PathBuf {
    ctx.qemu_dir().join(version.name())
}

fn release(ctx: &Ctx, version: Version) -> Result<Base> {
    let dir = release_dir(ctx, version);
    let _lock = lock::acquire(ctx, &dir.join("base.lock"))?;
    let base = dir.join("base");
    if !is_work_tree(&base) {
        if !ctx.may_install {
            bail!(
                "QEMU {version} is not unpacked and --no-install was given; run cargo xtask setup"
            );
        }
        let dsc = fetch(ctx, version)?;
        let unpacked = unpack(ctx, &dsc, &dir, &["-x"])?;
        commit_all(&unpacked, "base", &format!("QEMU {version} as unpacked from {}", name(&dsc)))?;
        fs::rename(&unpacked, &base).context("cannot put the source in place")?;
    }
    let git = Git::at(&base);
    exclude(&git)?;
    Ok(Base { git, version, dir })
}

/// The commit of the source as released, without Debian's patches.
pub fn pristine(ctx: &Ctx, version: Version) -> Result<String> {
    let base = release(ctx, version)?;
    if let Some(commit) = base.git.commit("pristine") {
        return Ok(commit);
    }
    let _lock = lock::acquire(ctx, &base.dir.join("base.lock"))?;
    let dsc = fetch(ctx, version)?;
    let unpacked = unpack(ctx, &dsc, &base.dir, &["--skip-patches", "-x"])?;
    let message = format!("QEMU {version} as released, from {}", name(&dsc));
    commit_beside(&base.git, &unpacked, "pristine", &message)?;
    base.git.commit("pristine").context("the pristine source did not arrive")
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_string()
}

/// A tree that builds and a crate that is linked in are no changes of QEMU's.
pub fn exclude(git: &Git) -> Result<()> {
    let path = git.dir.join(".git/info/exclude");
    if fs::read_to_string(&path).unwrap_or_default() != EXCLUDES {
        fs::create_dir_all(git.dir.join(".git/info"))?;
        fs::write(&path, EXCLUDES).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Makes a repository of a directory: one commit of all that is in it.
fn commit_all(dir: &Path, branch: &str, message: &str) -> Result<()> {
    let git = Git::at(dir);
    git.run(["init", "--quiet", "--initial-branch", branch])?;
    git.run(["add", "--all", "--force"])?;
    git.run(["commit", "--quiet", "--no-verify", "--message", message])
}

/// Commits a directory to a branch of the repository of a tree that is much the same, whose objects
/// serve again; the directory is gone afterwards.
fn commit_beside(git: &Git, dir: &Path, branch: &str, message: &str) -> Result<()> {
    let place = dir.with_extension("worktree");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    let path = place.to_string_lossy();
    git.run(["worktree", "prune"])?;
    git.run(["worktree", "add", "--quiet", "--force", "--detach", "--no-checkout", &path, "base"])?;
    fs::rename(place.join(".git"), dir.join(".git")).context("cannot move a work tree")?;
    let tree = Git::at(dir);
    tree.run(["add", "--all", "--force"])?;
    tree.run(["commit", "--quiet", "--no-verify", "--message", message])?;
    tree.run(["branch", "--force", branch, "HEAD"])?;
    for gone in [dir, &place] {
        fs::remove_dir_all(gone).with_context(|| format!("cannot remove {}", gone.display()))?;
    }
    git.run(["worktree", "prune"])
}

/// A source package that is complete in the cache.
fn cached(ctx: &Ctx, version: Version) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(ctx.cache.join("src"))
        .ok()?
        .flatten()
        .filter_map(|entry| dsc_in(&entry.path()))
        .filter(|dsc| {
            let name = name(dsc);
            let release = name.strip_prefix("qemu_").unwrap_or_default();
            Version::of_release(release) == Some(version)
        })
        .collect();
    found.sort_by(|a, b| compare(&name(a), &name(b)));
    found.pop()
}

fn dsc_in(dir: &Path) -> Option<PathBuf> {
    fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "dsc"))
}

/// The source package of a version, from the cache or else from Debian; the path of its `.dsc`.
fn fetch(ctx: &Ctx, version: Version) -> Result<PathBuf> {
    let _lock = lock::acquire(ctx, &ctx.cache.join("src.lock"))?;
    if let Some(dsc) = cached(ctx, version) {
        return Ok(dsc);
    }
    let apt = Apt::open(ctx)?;
    let mut versions = apt.versions(PACKAGE)?;
    versions.sort_by(|a, b| compare(a, b));
    let Some(newest) =
        versions.iter().rev().find(|text| Version::of_release(upstream(text)) == Some(version))
    else {
        bail!(
            "Debian has no QEMU {version} any more, only {}; give a source tree of your own: --qemu DIR",
            versions.join(", ")
        );
    };
    let dir = ctx.cache.join("src").join(newest.replace(':', "_"));
    let partial = tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(ctx.cache.join("apt"))
        .context("cannot make a directory in the cache")?;
    apt.download(ctx, PACKAGE, newest, partial.path())?;
    fs::create_dir_all(ctx.cache.join("src"))?;
    fs::rename(partial.keep(), &dir).context("cannot put the download in place")?;
    dsc_in(&dir).with_context(|| format!("no .dsc file in {}", dir.display()))
}

/// Without the epoch: `1:10.2.2+ds-1` gives `10.2.2+ds-1`.
fn upstream(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        Ordering::Equal
    } else if succeeds(&cmd!("dpkg", "--compare-versions", a, "lt", b)) {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

/// Unpacks into a new directory beside the final place; an interrupted one is swept first.
fn unpack(ctx: &Ctx, dsc: &Path, dir: &Path, how: &[&str]) -> Result<PathBuf> {
    let to = dir.join(".unpack");
    if to.exists() {
        fs::remove_dir_all(&to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    fs::create_dir_all(dir)?;
    let args =
        ["--no-copy"].iter().chain(how).map(PathBuf::from).chain([dsc.to_path_buf(), to.clone()]);
    Step::new(format!("unpack {}", name(dsc)), "unpack", cmd("dpkg-source", args)).run(ctx)?;
    Ok(to)
}

pub fn version(tree: &Tree) -> Result<Version> {
    match tree {
        Tree::Release(version) => Ok(*version),
        Tree::Dir(dir) => version_of(dir),
    }
}

/// The version that a QEMU tree says it is.
pub fn version_of(dir: &Path) -> Result<Version> {
    let path = dir.join("VERSION");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "{} is no QEMU source tree: cannot read its VERSION; name the top of one",
            dir.display()
        )
    })?;
    let text = text.trim();
    let Some(version) = Version::of_release(text) else {
        let served: Vec<_> = Version::ALL.iter().map(|v| format!("{v}.x")).collect();
        let newer = text.starts_with("11.").then_some(" (patches for 11 do not exist yet)");
        bail!(
            "{} is QEMU {text}; the patches serve {}{}",
            dir.display(),
            served.join(" and "),
            newer.unwrap_or_default()
        );
    };
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_debian_does() {
        assert_eq!(compare("1:10.2.2+ds-1", "1:10.2.10+ds-1"), Ordering::Less);
        assert_eq!(compare("1:10.2.2~rc1", "1:10.2.2"), Ordering::Less);
        assert_eq!(upstream("1:10.2.2+ds-1"), "10.2.2+ds-1");
    }

    #[test]
    fn a_tree_that_is_not_served_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = |text: &str| {
            fs::write(dir.path().join("VERSION"), text).unwrap();
            version_of(dir.path()).unwrap_err().to_string()
        };
        assert!(error("11.0.0\n").contains("11 do not exist yet"));
        for text in ["9.2.1\n", "10.2.50\n"] {
            assert!(error(text).contains("10.2.x and 10.0.x"));
        }
        fs::write(dir.path().join("VERSION"), "10.0.13\n").unwrap();
        assert_eq!(version_of(dir.path()).unwrap(), Version::V10_0);
    }
}
