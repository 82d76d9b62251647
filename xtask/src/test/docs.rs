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
const PAGES: [(&str, &str); 7] = [
    ("html/devel/multiple-iothreads.html", "iothread_unref"),
    ("html/interop/qemu-qmp-ref.html", "IOThreadHolder"),
    ("html/interop/qemu-storage-daemon-qmp-ref.html", "IOThreadHolder"),
    ("html/system/invocation.html", "reports who uses each IOThread"),
    ("html/system/monitor.html", "that QEMU made for itself"),
    ("man/qemu-qmp-ref.7", "IOThreadHolder"),
    ("man/qemu.1", "reports who uses each IOThread"),
];

pub fn check(ctx: &Ctx, tip: &Built) -> Result<()> {
    setup::extra(ctx, PACKAGES)?;
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    for builder in ["html", "man"] {
        let words = ["-q", "-W", "--keep-going", "-j", "auto", "-Dkerneldoc_werror=1", "-b"];
        let places = [tip.source.join("docs"), dir.path().join(builder)];
        let words = words.into_iter().chain([builder]).map(String::from);
        let words = words.chain(places.map(|place| place.display().to_string()));
        let sphinx = cmd("/usr/bin/sphinx-build", words).env("CONFDIR", "etc/qemu");
        let title = format!("documentation ({builder})");
        Step::new(title, format!("docs-{builder}"), sphinx).run(ctx)?;
    }
    for (page, word) in PAGES {
        let text = std::fs::read_to_string(dir.path().join(page))
            .with_context(|| format!("there is no {page}"))?;
        ensure!(text.contains(word), "{page} does not mention {word}");
    }
    Ok(())
}
