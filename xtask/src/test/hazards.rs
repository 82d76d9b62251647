// SPDX-License-Identifier: GPL-2.0-or-later
//! What plain C does not survive, with and without sanitizers, and with the patch that refuses to
//! delete an IOThread in use left out of the series, as a reviewer may.

use anyhow::{Result, ensure};

use super::own_tests;
use crate::build::{self, Built, Flavor};
use crate::ctx::Ctx;
use crate::dual::{self, Side};
use crate::gates;
use crate::report::Report;
use crate::series::Series;
use crate::setup;
use crate::version::Point;
use crate::worktree;

/// How the patch that may be left out is named, and the work tree without it.
const REFUSAL: &str = "refuse-to-delete";
const WITHOUT: &str = "without-refusal";

pub fn checks(ctx: &Ctx, report: &mut Report) {
    for flavor in [Flavor::Default, Flavor::Asan] {
        let title = format!("the tip without the refusal{}", flavor.suffix());
        let label = format!("{WITHOUT}{}", flavor.suffix());
        let outcome = without_refusal(ctx, flavor).and_then(|bare| {
            own_tests(ctx, report, &title, &label, &bare);
            let base = build::build(ctx, &ctx.tree, Point::Base, flavor)?;
            let tip = build::build(ctx, &ctx.tree, Point::Tip, flavor)?;
            let name = |point: &str| format!("{point}{}", flavor.suffix());
            if flavor != Flavor::Default {
                // As it is otherwise, it is in all levels of `test`.
                let label = name("tip");
                let title = format!("tests of the IOThread at the {label}");
                own_tests(ctx, report, &title, &label, &tip);
            }
            gates::watched(&tip, flavor)?;
            gates::watched(&bare, flavor)?;
            let sides = [
                Side::new(&name("base"), &base)?,
                Side::new(&name("tip"), &tip)?,
                Side::new(&name(WITHOUT), &bare)?,
            ];
            dual::check_hazards(ctx, report, &sides)
        });
        if let Err(error) = outcome {
            report.pass(&format!("hazards{}", flavor.suffix()), || Err(error));
        }
    }
}

fn without_refusal(ctx: &Ctx, flavor: Flavor) -> Result<Built> {
    let host = setup::host(ctx)?;
    let mut series = Series::open(ctx, &ctx.tree)?;
    let all = series.patches.len();
    series.patches.retain(|patch| !patch.to_string_lossy().contains(REFUSAL));
    ensure!(series.patches.len() + 1 == all, "no patch of the series is named *{REFUSAL}*");
    let commit = series.commit(ctx, all - 1)?;
    let worktree = worktree::named(ctx, &series, WITHOUT, &commit, false)?;
    let label = format!("{} {WITHOUT}", build::label(&series));
    build::in_worktree(ctx, &host, &worktree, &label, flavor)
}
