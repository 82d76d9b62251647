// SPDX-License-Identifier: GPL-2.0-or-later
//! `patches`: is the series fit to be sent, and rewriting it from the work tree.

mod check;
mod refresh;
mod twins;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::ctx::Ctx;
use crate::flags::{self, PatchesAction};
use crate::header;
use crate::report::Report;
use crate::series::Series;
use crate::version::{Tree, Version};

pub fn run(ctx: &Ctx, args: &flags::Patches) -> Result<()> {
    match &args.action {
        PatchesAction::Check => {
            let mut report = Report::new();
            check_all(ctx, &mut report);
            if let Tree::Dir(dir) = &ctx.tree {
                report.pass(&format!("the series applies to {}", dir.display()), || {
                    let series = Series::open(ctx, &ctx.tree)?;
                    series.commit(ctx, series.patches.len()).map(drop)
                });
            }
            report.finish()
        }
        PatchesAction::Header { like } => {
            out!("{}", header(ctx, like.as_deref())?.trim_end());
            Ok(())
        }
        PatchesAction::Refresh { branch } => refresh::refresh(ctx, branch),
    }
}

/// Adds the checks of all there is in `patches/` to a report.
pub fn check_all(ctx: &Ctx, report: &mut Report) {
    for version in Version::ALL {
        check::check(ctx, version, report);
    }
    report.pass("a step is the same in both versions", || twins::check(ctx));
}

fn header(ctx: &Ctx, like: Option<&Path>) -> Result<String> {
    let Some(like) = like else {
        return header::generate(&ctx.root);
    };
    let step =
        fs::read_to_string(like).with_context(|| format!("cannot read {}", like.display()))?;
    header::generate_like(&ctx.root, &step)
}
