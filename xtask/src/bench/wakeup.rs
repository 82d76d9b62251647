// SPDX-License-Identifier: GPL-2.0-or-later
//! `wakeup`: a sleeping IOThread is woken by a bottom half; instructions of both threads.

use std::path::Path;

use anyhow::Result;

use super::callgrind::Repeated;
use super::harness::{Side, link};
use super::lab::{Lab, interleave};
use super::row::{Draft, Goal, Kind, Rival, Row};

const COUNTED: Repeated = Repeated { few: 1000, many: 6000 };
const ROUNDS: usize = 5;

pub fn run(lab: &Lab) -> Result<Vec<Row>> {
    let program = |side| link(lab, side, &["wakeup"], true);
    let (c, rust) = (program(Side::PlainC)?, program(Side::Rust)?);
    [("plain", "event loop"), ("gcontext", "event loop with its GMainContext")]
        .into_iter()
        .map(|(mode, case)| {
            let count = |program: &Path| COUNTED.instructions(lab, program, &[mode]);
            let (theirs, ours) = interleave(ROUNDS, || count(&c), || count(&rust))?;
            let draft = Draft {
                bench: "wakeup",
                case: case.into(),
                unit: "instructions",
                kind: Kind::Count,
                goal: Goal::RatioAtMost(1.02),
            };
            draft.against(Rival::PlainC, theirs, ours)
        })
        .collect()
}
