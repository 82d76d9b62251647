// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's manual at the tip, built as `--enable-docs --enable-werror` does: a warning is an error.

use anyhow::{Context, Result, ensure};
use duct::cmd;

use crate::build::Built;
use crate::cmd::Step;
use crate::ctx::Ctx;
use crate::setup;

const PACKAGES: &[&str] = &["python3-sphinx", "python3-sphinx-rtd-theme"];

/// Pages that the series changes, and a word that each must show.
const PAGES: [(&str, &str); 3] = [
    ("devel/multiple-iothreads.html", "iothread_unref"),
    ("interop/qemu-qmp-ref.html", "IOThreadHolder"),
    ("interop/qemu-storage-daemon-qmp-ref.html", "IOThreadHolder"),
];

pub fn check(ctx: &Ctx, tip: &Built) -> Result<()> {
    setup::extra(ctx, PACKAGES)?;
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    let words = ["-q", "-W", "--keep-going", "-j", "auto", "-Dkerneldoc_werror=1", "-b", "html"];
    let sphinx = cmd(
        "/usr/bin/sphinx-build",
        words.into_iter().map(String::from).chain([
            tip.source.join("docs").display().to_string(),
            dir.path().display().to_string(),
        ]),
    )
    .env("CONFDIR", "etc/qemu");
    Step::new("documentation", "docs", sphinx).run(ctx)?;
    for (page, word) in PAGES {
        let text = std::fs::read_to_string(dir.path().join(page))
            .with_context(|| format!("there is no {page}"))?;
        ensure!(text.contains(word), "{page} does not mention {word}");
    }
    Ok(())
}
