// SPDX-License-Identifier: GPL-2.0-or-later
//! One line of the result: what was measured, on what, how it compares, what was wanted.

use std::fmt;

use anyhow::{Context, Result};
use serde::{Serialize, Serializer};

use super::sample::Sample;

/// What the library is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Rival {
    #[serde(rename = "QEMU's iothread.c")]
    PlainC,
    #[serde(rename = "a list-based implementation in C")]
    List,
}

/// What a measurement is worth on a machine with other work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The same in every run.
    Size,
    /// Instructions: what else runs does not matter.
    Count,
    /// Time: needs a quiet machine.
    Time,
}

/// What is wanted; ratios are the library's value by its rival's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    None,
    RatioAtMost(f64),
    RatioAtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Serialize)]
pub struct Row {
    pub bench: &'static str,
    pub case: String,
    pub unit: &'static str,
    pub kind: Kind,
    pub goal: Goal,
    pub rust: Sample,
    #[serde(flatten)]
    pub compared: Option<Compared>,
    /// The machine's load when it began.
    pub load: f64,
    /// It was timed while the machine had other work, and proves nothing.
    pub noisy: bool,
    /// `None` without a goal, and of what is noisy.
    pub met: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct Compared {
    pub rival: Rival,
    #[serde(rename = "rival_sample")]
    pub sample: Sample,
    /// The median of the ratios of each round.
    pub ratio: f64,
}

/// Above this load, what was timed had company.
const QUIET: f64 = 1.0;

/// A row in the making: the values as they come.
pub struct Draft {
    pub bench: &'static str,
    pub case: String,
    pub unit: &'static str,
    pub kind: Kind,
    pub goal: Goal,
}

impl Draft {
    pub fn alone(self, load: f64, rust: Vec<f64>) -> Result<Row> {
        self.finish(load, rust, None)
    }

    /// The two were measured in turn, round by round.
    pub fn against(self, load: f64, rival: Rival, theirs: Vec<f64>, rust: Vec<f64>) -> Result<Row> {
        let ratios = rust.iter().zip(&theirs).map(|(rust, theirs)| rust / theirs).collect();
        let ratio = Sample::of(ratios).context("nothing was measured")?.median;
        let sample = Sample::of(theirs).context("nothing was measured")?;
        self.finish(load, rust, Some(Compared { rival, sample, ratio }))
    }

    fn finish(self, load: f64, rust: Vec<f64>, compared: Option<Compared>) -> Result<Row> {
        let rust = Sample::of(rust).context("nothing was measured")?;
        let Draft { bench, case, unit, kind, goal } = self;
        let noisy = kind == Kind::Time && load > QUIET;
        let met = goal.met(rust.median, compared.as_ref().map(|compared| compared.ratio));
        let met = met.filter(|_| !noisy);
        Ok(Row { bench, case, unit, kind, goal, rust, compared, load, noisy, met })
    }
}

impl Goal {
    fn met(self, value: f64, ratio: Option<f64>) -> Option<bool> {
        match self {
            Goal::None => None,
            Goal::AtMost(limit) => Some(value <= limit),
            Goal::RatioAtMost(limit) => ratio.map(|ratio| ratio <= limit),
            Goal::RatioAtLeast(limit) => ratio.map(|ratio| ratio >= limit),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::None => Ok(()),
            Goal::AtMost(limit) => write!(f, "<= {limit}"),
            Goal::RatioAtMost(limit) => write!(f, "ratio <= {limit}"),
            Goal::RatioAtLeast(limit) => write!(f, "ratio >= {limit}"),
        }
    }
}

impl Serialize for Goal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(goal: Goal) -> Draft {
        Draft { bench: "b", case: "c".into(), unit: "u", kind: Kind::Count, goal }
    }

    #[test]
    fn a_goal_is_met_or_missed_by_the_ratio() {
        let row = |goal, rust| {
            draft(goal).against(0.0, Rival::PlainC, vec![100.0], vec![rust]).unwrap().met
        };
        assert_eq!(row(Goal::RatioAtMost(1.02), 102.0), Some(true));
        assert_eq!(row(Goal::RatioAtMost(1.02), 103.0), Some(false));
        assert_eq!(row(Goal::RatioAtLeast(0.98), 97.0), Some(false));
        assert_eq!(row(Goal::None, 1.0), None);
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        // The machine became twice as fast, and both alike.
        let (theirs, rust) = (vec![10.0, 10.0, 20.0], vec![10.0, 20.0, 20.0]);
        let row = draft(Goal::None).against(0.0, Rival::PlainC, theirs, rust).unwrap();
        assert_eq!(row.compared.unwrap().ratio, 1.0);
    }

    #[test]
    fn time_on_a_busy_machine_has_no_verdict() {
        let row = |kind, load| {
            let draft = Draft { kind, ..draft(Goal::AtMost(1.0)) };
            let row = draft.alone(load, vec![2.0]).unwrap();
            (row.noisy, row.met)
        };
        assert_eq!(row(Kind::Time, 3.0), (true, None));
        assert_eq!(row(Kind::Time, 0.5), (false, Some(false)));
        assert_eq!(row(Kind::Count, 3.0), (false, Some(false)));
    }

    #[test]
    fn an_absolute_goal_needs_no_rival() {
        assert_eq!(draft(Goal::AtMost(3.0)).alone(0.0, vec![3.5]).unwrap().met, Some(false));
        assert!(draft(Goal::AtMost(3.0)).alone(0.0, vec![]).is_err());
    }
}
