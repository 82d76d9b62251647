// SPDX-License-Identifier: GPL-2.0-or-later
//! checkpatch, the trees that the series must fit, and the header at each commit.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use duct::{Expression, cmd};

use crate::bisect::suite::own_iotests;
use crate::cmd::{output, read};
use crate::ctx::Ctx;
use crate::git::Git;
use crate::header;
use crate::report::{Outcome, Report};
use crate::series::{self, Series};
use crate::setup::{self, source};
use crate::version::{Tree, Version};

/// What the last step takes out of the header; the crate still exports it.
const LEGACY: &str = "iothread_get_aio_context";
const CLEAN: &str = "total: 0 errors, 0 warnings,";
/// Of QEMU's iotest 297, in Debian's packages of these names.
const LINTERS: &[&str] = &["mypy", "pylint"];
const REPAIR: &str = "repair it with: cargo xtask patches refresh";

/// Adds the checks of one version's series to a report.
pub fn check(ctx: &Ctx, version: Version, report: &mut Report) {
    let opened = Series::open(ctx, &Tree::Release(version));
    let series = match opened {
        Ok(series) if !series.patches.is_empty() => series,
        Ok(_) => {
            let reason = format!("patches/v{version} has no series yet");
            report.check(&format!("patches v{version}"), || Ok(Outcome::Skipped(reason)));
            return;
        }
        Err(error) => return report.pass(&format!("patches v{version}"), || Err(error)),
    };
    report.pass(&format!("checkpatch: {} patches of v{version}", series.patches.len()), || {
        let patches = series.patches.iter();
        let faults = patches.filter_map(|patch| checkpatch(&series.base.git.dir, patch).err());
        let told: Vec<_> = faults.map(|fault| format!("{fault:#}")).collect();
        ensure!(told.is_empty(), "{}", told.join("\n"));
        Ok(())
    });
    report.pass(&format!("v{version} applies to the source as released"), || {
        let start = source::pristine(ctx, version)?;
        series::commit_on(ctx, &series.base, &start, &series.patches).map(drop)
    });
    report.pass(&format!("v{version} applies to Debian's tree"), || {
        series.commit(ctx, series.patches.len()).map(drop)
    });
    report.pass(&format!("v{version}: QEMU's linters of iotests"), || linters(ctx, &series));
    report.pass(&format!("v{version} has the generated header at each commit"), || {
        headers(ctx, &series)
    });
}

fn checkpatch(tree: &Path, patch: &Path) -> Result<()> {
    let clean = told(&cmd!("perl", "scripts/checkpatch.pl", patch).dir(tree)).and_then(|text| {
        ensure!(text.contains(CLEAN), "{}", text.trim_end());
        Ok(())
    });
    clean.with_context(|| patch.display().to_string())
}

/// What it says if all is well; else that is the error.
fn told(run: &Expression) -> Result<String> {
    let output = output(&run.stderr_to_stdout().stdout_capture())?;
    let text = String::from_utf8_lossy(&output.stdout).to_string();
    ensure!(output.status.success(), "{}", text.trim_end());
    Ok(text)
}

/// The iotests that the series brings, as they are at its end.
fn linters(ctx: &Ctx, series: &Series) -> Result<()> {
    setup::extra(ctx, LINTERS)?;
    let commit = series.commit(ctx, series.patches.len())?;
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    let files = series.base.git.command(["archive", &commit, "python", "tests/qemu-iotests"]);
    read(&files.pipe(cmd!("tar", "-x", "-C", dir.path())))?;
    let iotests = dir.path().join("tests/qemu-iotests");
    let tests: Vec<_> = own_iotests(dir.path()).map(|name| format!("tests/{name}")).collect();
    ensure!(!tests.is_empty(), "the series has no iotest of its own");
    for test in tests {
        for linter in
            [cmd!("/usr/bin/pylint", &test), cmd!("/usr/bin/mypy", "--cache-dir=/dev/null", &test)]
        {
            told(&linter.dir(&iotests).env("PYTHONPATH", "../../python:."))?;
        }
    }
    Ok(())
}

/// From the commit on that lays the header out anew, and at the latest from the one that names the
/// generator, it is what the generator writes.
fn headers(ctx: &Ctx, series: &Series) -> Result<()> {
    let mut generated = 0;
    let last = series.patches.len();
    for depth in 1..=last {
        let commit = series.commit(ctx, depth)?;
        let text = show(&series.base.git, &commit, header::PATH)?;
        let same = header::generate_like(&ctx.root, &text)? == text;
        if generated == 0 && !same && !text.contains(header::GENERATOR) {
            continue;
        }
        generated += 1;
        if !same {
            bail!("commit {depth}: {} is not what the generator writes; {REPAIR}", header::PATH);
        }
        if depth + 1 >= last {
            let left: &[&str] = if depth == last { &[LEGACY] } else { &[] };
            declares_all_but(ctx, &text, left).with_context(|| format!("commit {depth}"))?;
        }
    }
    if generated == 0 {
        bail!("no commit has the generated header");
    }
    let path = ctx.root.join(header::PATH);
    let own = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    if own != header::generate(&ctx.root)? {
        bail!("the crate's own {} is not what the generator writes; {REPAIR}", header::PATH);
    }
    Ok(())
}

/// Whether a header declares what the crate exports, but for these.
fn declares_all_but(ctx: &Ctx, header: &str, left: &[&str]) -> Result<()> {
    let lacking = header::lacking(&ctx.root, header)?;
    ensure!(
        lacking.iter().eq(left),
        "{} declares all but {lacking:?}, meant was all but {left:?}",
        header::PATH
    );
    Ok(())
}

fn show(git: &Git, commit: &str, path: &str) -> Result<String> {
    Ok(git.read(["show", &format!("{commit}:{path}")])? + "\n")
}
