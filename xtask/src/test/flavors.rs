// SPDX-License-Identifier: GPL-2.0-or-later
//! The other ways to build QEMU: each builds and passes what pins down the IOThread.

use clap::ValueEnum;

use super::characterisation;
use crate::build::{self, Flavor};
use crate::ctx::Ctx;
use crate::report::Report;
use crate::version::Point;

pub fn checks(ctx: &Ctx, report: &mut Report) {
    for flavor in Flavor::value_variants() {
        if *flavor != Flavor::Default {
            report.pass(&format!("flavour {}", flavor.name()), || {
                let built = build::build(ctx, &ctx.tree, Point::Tip, *flavor)?;
                characterisation(ctx, &built)
            });
        }
    }
}
