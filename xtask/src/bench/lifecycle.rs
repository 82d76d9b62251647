// SPDX-License-Identifier: GPL-2.0-or-later
//! `lifecycle`: an IOThread is made and deleted, as object-add and object-del do.

use std::path::Path;

use anyhow::{Context, Result};
use duct::cmd;

use super::callgrind::Repeated;
use super::harness::{Side, link};
use super::lab::{Lab, interleave};
use super::row::{Draft, Goal, Kind, Rival, Row};
use crate::cmd::read;

const GOAL: Goal = Goal::RatioAtMost(1.02);
const COUNTED: Repeated = Repeated { few: 50, many: 550 };
const COUNTED_ROUNDS: usize = 5;
const TIMED: u32 = 1500;
const TIMED_ROUNDS: usize = 25;
/// QEMU's default; a thread that polls executes as many instructions as there is time.
const POLLING: &str = "32768";
const NO_POLLING: &str = "0";

pub fn run(lab: &Lab) -> Result<Vec<Row>> {
    let program = |side| link(lab, side, &["lifecycle"], false);
    let (c, rust) = (program(Side::PlainC)?, program(Side::Rust)?);
    let (theirs, ours) = interleave(TIMED_ROUNDS, || micros(&c), || micros(&rust))?;
    let timed =
        draft("create and delete", "µs", Kind::Time).against(Rival::PlainC, theirs, ours)?;

    let program = |side| link(lab, side, &["lifecycle"], true);
    let (c, rust) = (program(Side::PlainC)?, program(Side::Rust)?);
    let count = |program: &Path| COUNTED.instructions(lab, program, &[NO_POLLING]);
    let (theirs, ours) = interleave(COUNTED_ROUNDS, || count(&c), || count(&rust))?;
    let counted = draft("create and delete, without polling", "instructions", Kind::Count)
        .against(Rival::PlainC, theirs, ours)?;
    Ok(vec![counted, timed])
}

fn draft(case: &str, unit: &'static str, kind: Kind) -> Draft {
    Draft { bench: "lifecycle", case: case.into(), unit, kind, goal: GOAL }
}

fn micros(program: &Path) -> Result<f64> {
    let printed = read(&cmd!(program, TIMED.to_string(), POLLING))?;
    let seconds: f64 = printed.parse().with_context(|| format!("not a time: {printed}"))?;
    Ok(seconds * 1e6 / f64::from(TIMED))
}
