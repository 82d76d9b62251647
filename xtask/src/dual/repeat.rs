// SPDX-License-Identifier: GPL-2.0-or-later
//! Repeated runs of one test on two sides: which of its parts differ, and by how much.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Difference, NOTHING};
use super::rates::{Judgement, judge};
use super::suites::Compared;
use crate::suites::tap::Results;

#[derive(Default)]
pub struct Repeats {
    base: Vec<Results>,
    series: Vec<Results>,
}

impl Repeats {
    pub fn add(&mut self, series: bool, results: Results) {
        if series { &mut self.series } else { &mut self.base }.push(results);
    }

    /// True while more runs are needed.
    pub fn is_open(&self) -> bool {
        let judgements = self.judgements();
        let any = |wanted| judgements.iter().any(|(_, judgement)| *judgement == wanted);
        any(Judgement::Open) && !any(Judgement::Different)
    }

    /// Each part of the test, by the clearest of its statuses.
    fn judgements(&self) -> Vec<(&str, Judgement)> {
        let runs = self.base.len().min(self.series.len());
        let mut judged = Vec::new();
        for part in self.parts() {
            let (base, series) = (tally(&self.base, part), tally(&self.series, part));
            let statuses: BTreeSet<&str> = base.keys().chain(series.keys()).copied().collect();
            let count =
                |side: &BTreeMap<&str, usize>, status| side.get(status).copied().unwrap_or(0);
            let all: Vec<Judgement> = statuses
                .into_iter()
                .map(|status| judge(count(&base, status), count(&series, status), runs))
                .collect();
            let clearest = [Judgement::Different, Judgement::Open]
                .into_iter()
                .find(|judgement| all.contains(judgement))
                .unwrap_or(Judgement::Chance);
            judged.push((part, clearest));
        }
        judged
    }

    fn parts(&self) -> BTreeSet<&str> {
        let all = self.base.iter().chain(&self.series);
        all.flat_map(|results| results.keys()).map(String::as_str).collect()
    }

    /// Writes down what is a difference and what is chance.
    pub fn settle(&self, name: &str, into: &mut Compared) {
        let said = into.differences.len() + into.notes.len();
        for (part, judgement) in self.judgements() {
            let (base, series) = (tally(&self.base, part), tally(&self.series, part));
            if judgement == Judgement::Different {
                into.differences.push(Difference {
                    item: format!("{name}: {part}"),
                    base: words(&base),
                    series: words(&series),
                });
            } else if base != series || base.len() > 1 {
                into.notes.push(format!(
                    "varies by chance: {name}: {part}: plain C {}; series {}",
                    words(&base),
                    words(&series)
                ));
            }
        }
        if into.differences.len() + into.notes.len() == said {
            let runs = self.base.len();
            into.notes.push(format!("equal in {runs} more runs on each side: {name}"));
        }
    }
}

/// How often a part ended in each way.
fn tally<'a>(runs: &'a [Results], part: &str) -> BTreeMap<&'a str, usize> {
    let mut tally = BTreeMap::new();
    for results in runs {
        *tally.entry(results.get(part).map_or(NOTHING, String::as_str)).or_default() += 1;
    }
    tally
}

fn words(tally: &BTreeMap<&str, usize>) -> String {
    let total: usize = tally.values().sum();
    let each = tally.iter().map(|(status, count)| match tally.len() {
        1 => status.to_string(),
        _ => format!("{status} ({count} of {total})"),
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(base: &[&str], series: &[&str]) -> Repeats {
        let results = |status: &&str| Results::from([("x".to_string(), status.to_string())]);
        Repeats {
            base: base.iter().map(results).collect(),
            series: series.iter().map(results).collect(),
        }
    }

    fn settled(repeats: &Repeats) -> Compared {
        let mut compared = Compared::default();
        repeats.settle("t", &mut compared);
        compared
    }

    #[test]
    fn always_against_never_is_a_difference() {
        let repeats = repeats(&["pass"; 10], &["FAIL"; 10]);
        assert!(!repeats.is_open());
        let wanted = Difference { item: "t: x".into(), base: "pass".into(), series: "FAIL".into() };
        assert_eq!(settled(&repeats).differences, [wanted]);
    }

    #[test]
    fn a_test_that_varies_on_both_sides_is_a_note() {
        let runs = ["pass", "pass", "FAIL", "pass", "pass"];
        let repeats = repeats(&runs, &runs);
        assert!(!repeats.is_open());
        let compared = settled(&repeats);
        assert!(compared.differences.is_empty());
        assert!(compared.notes[0].contains("FAIL (1 of 5)"), "{:?}", compared.notes);
    }

    #[test]
    fn a_first_run_by_chance_leaves_nothing() {
        let compared = settled(&repeats(&["pass"; 5], &["pass"; 5]));
        assert!(compared.differences.is_empty());
        assert_eq!(compared.notes, ["equal in 5 more runs on each side: t"]);
    }

    #[test]
    fn an_unclear_rate_is_run_again() {
        let often = ["FAIL", "FAIL", "FAIL", "FAIL", "pass"];
        assert!(repeats(&["pass"; 5], &often).is_open());
    }

    #[test]
    fn a_part_that_never_comes_is_a_difference() {
        let mut repeats = repeats(&["pass"; 10], &["pass"; 10]);
        repeats.series = vec![Results::new(); 10];
        assert_eq!(settled(&repeats).differences[0].series, NOTHING);
    }
}
