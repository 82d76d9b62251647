// SPDX-License-Identifier: GPL-2.0-or-later
//! Rewrites `patches/` and the header from the commits in a work tree. Twice gives the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::ctx::Ctx;
use crate::git::Git;
use crate::header;
use crate::series::{self, Series};

/// Nothing that depends on the repository, the git version or the day.
const STABLE: &[&str] = &[
    "format-patch",
    "--quiet",
    "--zero-commit",
    "--no-signature",
    "--no-numbered",
    "--no-base",
    "--full-index",
    "--no-encode-email-headers",
    "--diff-algorithm=histogram",
    "--output-directory",
];

pub fn refresh(ctx: &Ctx, branch: &str) -> Result<()> {
    let series = Series::open(ctx, &ctx.tree)?;
    let git = Git::at(series.base.dir.join(branch));
    let Some(head) = git.dir.is_dir().then(|| git.commit("HEAD")).flatten() else {
        bail!("{} is no work tree; cargo xtask build --at tip makes one", git.dir.display());
    };
    let changes = git.local_changes()?;
    if !changes.is_empty() {
        bail!("{} has changes that are not committed: {}", git.dir.display(), changes.join(", "));
    }
    let written = write(ctx, &series, &git)?;
    let again = Series::open(ctx, &ctx.tree)?;
    let commit = again.commit(ctx, written)?;
    let same = ["diff", "--quiet", &format!("{head}^{{tree}}"), &format!("{commit}^{{tree}}")];
    if !git.succeeds(same) {
        bail!("the patches written do not give the tree that they were written from");
    }
    let path = ctx.root.join(header::PATH);
    fs::write(&path, header::generate(&ctx.root)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    // The tree is that of the new commits, file by file: nothing is rebuilt.
    git.run(["reset", "--quiet", "--soft", &commit])?;
    out!("{written} patches in {}", series::patch_dir(ctx, series.base.version).display());
    Ok(())
}

/// Puts the new patches in the place of the old; tells how many there are.
fn write(ctx: &Ctx, series: &Series, git: &Git) -> Result<usize> {
    let dir = series::patch_dir(ctx, series.base.version);
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let fresh = tempfile::tempdir_in(&dir).context("cannot make a directory for the patches")?;
    let to = fresh.path().to_string_lossy().to_string();
    let words = STABLE.iter().copied().chain([&*to, "base..HEAD"]);
    crate::cmd::read(&git.command(words)).context("git format-patch")?;
    let names = patches_in(fresh.path())?;
    if names.is_empty() {
        bail!("{} has no commits on top of base", git.dir.display());
    }
    for old in patches_in(&dir)? {
        if !names.contains(&old) {
            fs::remove_file(dir.join(old))?;
        }
    }
    for name in &names {
        fs::rename(fresh.path().join(name), dir.join(name))
            .with_context(|| format!("cannot write {}", name.display()))?;
    }
    let lines: String = names.iter().map(|name| format!("{}\n", name.display())).collect();
    let text = format!("# SPDX-License-Identifier: GPL-2.0-or-later\n{lines}");
    fs::write(dir.join("series"), text).context("cannot write the series file")?;
    Ok(names.len())
}

fn patches_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = PathBuf::from(entry?.file_name());
        if name.extension().is_some_and(|extension| extension == "patch") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
