// SPDX-License-Identifier: GPL-2.0-or-later
//! `holders`: a record taken and dropped beside few and many others, by the library and by a list
//! in C. One thread and no clock, so that one round is enough.

use anyhow::Result;

use super::callgrind::Repeated;
use super::harness::{Side, link};
use super::lab::Lab;
use super::row::{Draft, Goal, Kind, Rival, Row};

const COUNTED: Repeated = Repeated { few: 100, many: 600 };
/// Names with other records beside them, and which of all is taken once more and dropped.
const CASES: [(&str, &str); 7] = [
    ("0", "new"),
    ("100", "new"),
    ("100", "oldest"),
    ("100", "newest"),
    ("10000", "new"),
    ("10000", "oldest"),
    ("10000", "newest"),
];

pub fn run(lab: &Lab) -> Result<Vec<Row>> {
    let program = link(lab, Side::Rust, &["holders", "list_holders"], true)?;
    CASES
        .iter()
        .map(|(others, which)| {
            let count = |who| COUNTED.instructions(lab, &program, &[who, others, which]);
            let draft = Draft {
                bench: "holders",
                case: format!("ref and unref beside {others} others, name: {which}"),
                unit: "instructions",
                kind: Kind::Count,
                goal: Goal::None,
            };
            draft.against(Rival::List, vec![count("list")?], vec![count("rust")?])
        })
        .collect()
}
