// SPDX-License-Identifier: GPL-2.0-or-later
//! `patches`: is the series fit to be sent, and rewriting it from the work tree.

mod check;
mod refresh;

use anyhow::Result;

use crate::ctx::Ctx;
use crate::flags::{self, PatchesAction};
use crate::report::Report;
use crate::version::Version;

pub use check::check;

pub fn run(ctx: &Ctx, args: &flags::Patches) -> Result<()> {
    match &args.action {
        PatchesAction::Check => {
            let mut report = Report::new();
            for version in Version::ALL {
                check(ctx, version, &mut report);
            }
            report.finish()
        }
        PatchesAction::Refresh { branch } => refresh::refresh(ctx, branch),
    }
}
