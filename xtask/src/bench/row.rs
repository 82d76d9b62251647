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
    /// It proves nothing: it was timed while the machine had other work, or misses its goal by so
    /// little that more rounds might meet it.
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

/// A row in the making: the values as they come.
pub struct Draft {
    pub bench: &'static str,
    pub case: String,
    pub unit: &'static str,
    pub kind: Kind,
    pub goal: Goal,
}

impl Draft {
    pub fn alone(self, rust: Vec<f64>) -> Result<Row> {
        self.finish(rust, None)
    }

    /// The two were measured in turn, round by round.
    pub fn against(self, rival: Rival, theirs: Vec<f64>, rust: Vec<f64>) -> Result<Row> {
        let ratios = rust.iter().zip(&theirs).map(|(rust, theirs)| rust / theirs).collect();
        let ratios = Sample::of(ratios).context("nothing was measured")?;
        let sample = Sample::of(theirs).context("nothing was measured")?;
        self.finish(rust, Some((Compared { rival, sample, ratio: ratios.median }, ratios)))
    }

    fn finish(self, rust: Vec<f64>, compared: Option<(Compared, Sample)>) -> Result<Row> {
        let rust = Sample::of(rust).context("nothing was measured")?;
        let Draft { bench, case, unit, kind, goal } = self;
        let (compared, ratios) = compared.unzip();
        let met = goal.met_by(&rust, ratios.as_ref());
        let noisy = met.is_none() && goal != Goal::None;
        Ok(Row { bench, case, unit, kind, goal, rust, compared, noisy, met })
    }
}

impl Row {
    /// For one that was measured while the machine had other work.
    pub fn in_company(&mut self) {
        if self.kind == Kind::Time {
            self.noisy = true;
            self.met = None;
        }
    }
}

impl Goal {
    /// `None` if there is no goal, or if it cannot be told.
    fn met_by(self, values: &Sample, ratios: Option<&Sample>) -> Option<bool> {
        let (sample, meets): (_, Box<dyn Fn(f64) -> bool>) = match self {
            Goal::None => return None,
            Goal::AtMost(limit) => (values, Box::new(move |value| value <= limit)),
            Goal::RatioAtMost(limit) => (ratios?, Box::new(move |ratio| ratio <= limit)),
            Goal::RatioAtLeast(limit) => (ratios?, Box::new(move |ratio| ratio >= limit)),
        };
        if meets(sample.median) {
            Some(true)
        } else if sample.around_median.into_iter().any(meets) {
            None
        } else {
            Some(false)
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
        let row =
            |goal, rust| draft(goal).against(Rival::PlainC, vec![100.0], vec![rust]).unwrap().met;
        assert_eq!(row(Goal::RatioAtMost(1.02), 102.0), Some(true));
        assert_eq!(row(Goal::RatioAtMost(1.02), 103.0), Some(false));
        assert_eq!(row(Goal::RatioAtLeast(0.98), 97.0), Some(false));
        assert_eq!(row(Goal::None, 1.0), None);
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        // The machine became twice as fast, and both alike.
        let (theirs, rust) = (vec![10.0, 10.0, 20.0], vec![10.0, 20.0, 20.0]);
        let row = draft(Goal::None).against(Rival::PlainC, theirs, rust).unwrap();
        assert_eq!(row.compared.unwrap().ratio, 1.0);
    }

    #[test]
    fn time_on_a_busy_machine_has_no_verdict() {
        let row = |kind| {
            let draft = Draft { kind, ..draft(Goal::AtMost(1.0)) };
            let mut row = draft.alone(vec![2.0]).unwrap();
            assert_eq!((row.noisy, row.met), (false, Some(false)));
            row.in_company();
            (row.noisy, row.met)
        };
        assert_eq!(row(Kind::Time), (true, None));
        assert_eq!(row(Kind::Count), (false, Some(false)));
    }

    #[test]
    fn rounds_that_do_not_agree_miss_no_goal() {
        let row = |rust: &[f64]| {
            let draft = draft(Goal::RatioAtLeast(0.98));
            let row = draft.against(Rival::PlainC, vec![1.0; rust.len()], rust.to_vec());
            row.map(|row| (row.noisy, row.met)).unwrap()
        };
        assert_eq!(row(&[0.9, 0.97, 1.1]), (true, None));
        assert_eq!(row(&[0.9, 0.96, 0.97]), (false, Some(false)));
        assert_eq!(row(&[0.9, 0.98, 1.1]), (false, Some(true)));
    }

    #[test]
    fn an_absolute_goal_needs_no_rival() {
        assert_eq!(draft(Goal::AtMost(3.0)).alone(vec![3.5]).unwrap().met, Some(false));
        assert!(draft(Goal::AtMost(3.0)).alone(vec![]).is_err());
    }
}
