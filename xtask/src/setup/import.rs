// SPDX-License-Identifier: GPL-2.0-or-later
//! A QEMU tree of the user's own: copied, so that nothing of theirs is changed, and kept in step.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::ctx::Ctx;
use crate::git::{Git, is_work_tree};
use crate::lock;
use crate::setup::source::{Base, exclude, version_of};

/// Copies what changed since last time and commits it to branch `base`.
pub fn import(ctx: &Ctx, from: &Path) -> Result<Base> {
    let from = from.canonicalize().with_context(|| format!("cannot find {}", from.display()))?;
    let version = version_of(&from)?;
    let digest = format!("{:x}", Sha256::digest(from.as_os_str().as_bytes()));
    let dir = ctx.qemu_dir().join(format!("dir-{}", &digest[..12]));
    let _lock = lock::acquire(ctx, &dir.join("base.lock"))?;
    let base = dir.join("base");
    fs::create_dir_all(&base).with_context(|| format!("cannot create {}", base.display()))?;
    ctx.ui.say(format!("copying what is new in {}", from.display()));
    mirror(&from, &base, true)?;
    let git = Git::at(&base);
    if !is_work_tree(&base) {
        git.run(["init", "--quiet", "--initial-branch", "base"])?;
    }
    exclude(&git)?;
    git.drop_stale_lock()?;
    git.run(["add", "--all"])?;
    // The tree's own .gitignore hides downloaded subprojects, which the build needs.
    if base.join("subprojects").is_dir() {
        git.run(["add", "--force", "subprojects"])?;
    }
    git.run(["rm", "--quiet", "--cached", "--ignore-unmatch", "subprojects/qemu-iothread"])?;
    if !git.succeeds(["diff", "--cached", "--quiet"]) {
        let message = format!("QEMU {version} from {}", from.display());
        git.run(["commit", "--quiet", "--no-verify", "--message", &message])?;
    }
    Ok(Base { git, version, dir })
}

/// Makes `to` like `from`, but for build directories and git's own, whichever side has them.
fn mirror(from: &Path, to: &Path, top: bool) -> Result<()> {
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if is_ours(&source, top) {
            continue;
        }
        seen.insert(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !target.is_dir() || target.is_symlink() {
                remove(&target)?;
                fs::create_dir(&target)?;
            }
            mirror(&source, &target, false)?;
        } else if kind.is_symlink() {
            let points_to = fs::read_link(&source)?;
            if fs::read_link(&target).ok().as_ref() != Some(&points_to) {
                remove(&target)?;
                symlink(points_to, &target)?;
            }
        } else if kind.is_file() && !same(&source, &target) {
            copy(&source, &target)?;
        }
    }
    for entry in fs::read_dir(to)?.flatten() {
        if !seen.contains(&entry.file_name()) && !is_ours(&entry.path(), top) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn is_ours(path: &Path, top: bool) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == ".git"
        || path.ends_with("subprojects/qemu-iothread")
        || (top && (name == "build" || path.join("build.ninja").exists()))
}

/// Size and time decide, as for make: a copy keeps the time of its original.
fn same(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::symlink_metadata(b)) {
        (Ok(a), Ok(b)) => {
            b.is_file() && a.len() == b.len() && a.modified().ok() == b.modified().ok()
        }
        _ => false,
    }
}

fn copy(source: &Path, target: &Path) -> Result<()> {
    remove(target)?;
    fs::copy(source, target)
        .with_context(|| format!("cannot copy {} to {}", source.display(), target.display()))?;
    let modified = fs::metadata(source)?.modified()?;
    let file = File::open(target)?;
    file.set_times(FileTimes::new().set_modified(modified))?;
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path)?;
    } else if path.is_symlink() || path.exists() {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_copy_follows_changes_and_leaves_builds_alone() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (from.path(), to.path());
        fs::create_dir_all(from.join("hw/block")).unwrap();
        fs::create_dir_all(from.join("out")).unwrap();
        fs::write(from.join("out/build.ninja"), "").unwrap();
        fs::write(from.join("hw/block/a.c"), "one").unwrap();
        fs::write(from.join("gone.c"), "x").unwrap();
        symlink("hw", from.join("link")).unwrap();
        mirror(from, to, true).unwrap();
        assert_eq!(fs::read_to_string(to.join("link/block/a.c")).unwrap(), "one");
        assert!(!to.join("out").exists());

        fs::create_dir(to.join("build")).unwrap();
        fs::write(from.join("hw/block/a.c"), "other").unwrap();
        fs::remove_file(from.join("gone.c")).unwrap();
        mirror(from, to, true).unwrap();
        assert_eq!(fs::read_to_string(to.join("hw/block/a.c")).unwrap(), "other");
        assert!(!to.join("gone.c").exists());
        assert!(to.join("build").exists());
    }
}
