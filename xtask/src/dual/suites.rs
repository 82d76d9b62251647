// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's own suites on every side: who runs what, again where the first runs differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::compare::{Difference, NOTHING};
use super::plan::{Plan, Test};
use super::rates::ROUND;
use super::repeat::Repeats;
use super::runner::{self, Job, Run};
use super::side::{Scope, Side};
use crate::ctx::Ctx;
use crate::suites::last_words;
use crate::suites::tap::{self, Results, failures};

/// How one suite of one side compares with plain C.
#[derive(Default)]
pub struct Compared {
    pub programs: usize,
    /// What passed or failed; what was skipped on plain C is no result.
    pub results: usize,
    pub differences: Vec<Difference>,
    /// What is no difference but worth a line.
    pub notes: Vec<String>,
    /// What fails on plain C in the same way, and so was not tested.
    pub alike: Vec<(String, String)>,
}

/// The tests of each side and how they ended.
pub struct Suites<'a> {
    ctx: &'a Ctx,
    sides: &'a [Side],
    records: &'a Path,
    tests: Vec<BTreeMap<String, Test>>,
    /// What is not run, and why.
    pub skipped: BTreeMap<String, String>,
    first: Vec<BTreeMap<String, Run>>,
}

impl<'a> Suites<'a> {
    /// Runs every test of `only` (of all suites if none) once on every side.
    pub fn run(
        ctx: &'a Ctx,
        plan: &Plan,
        sides: &'a [Side],
        scope: Scope,
        only: Option<&str>,
        records: &'a Path,
    ) -> Result<Suites<'a>> {
        let mut tests = Vec::new();
        let mut skipped = BTreeMap::new();
        for side in sides {
            let mut own = BTreeMap::new();
            for test in plan.tests(&side.source, &side.build, scope)? {
                if only.is_some_and(|only| only != test.suite) {
                    continue;
                }
                match &test.skip {
                    Some(reason) => skipped.insert(test.name.clone(), reason.clone()),
                    None => {
                        own.insert(test.name.clone(), test);
                        None
                    }
                };
            }
            tests.push(own);
        }
        let mut suites = Suites { ctx, sides, records, tests, skipped, first: Vec::new() };
        let cache = Cache::new(records.join("cache"), &sides[0].build, &suites.tests[0])?;
        let kept = cache.load();
        if !kept.is_empty() {
            ctx.ui.say(format!("{} results of plain C are still good", kept.len()));
        }
        let known: BTreeSet<&String> = kept.iter().map(|run| &run.name).collect();
        let names: BTreeSet<&String> = suites.tests.iter().flat_map(BTreeMap::keys).collect();
        let mut jobs: Vec<_> = names
            .iter()
            .flat_map(|name| {
                let due = (0..sides.len()).filter(|side| *side > 0 || !known.contains(name));
                due.filter_map(|side| suites.job(side, name, 0))
            })
            .collect();
        runner::longest_first(&mut jobs);
        let runs = suites.run_jobs(jobs, "QEMU's tests on every side")?;
        suites.first = sides.iter().map(|_| BTreeMap::new()).collect();
        for run in runs.into_iter().chain(kept) {
            suites.first[run.side].insert(run.name.clone(), run);
        }
        suites.again_where_both_fail()?;
        let good = suites.first[0].values().filter(|run| failures(&run.results).is_none());
        cache.save(good)?;
        Ok(suites)
    }

    /// What fails on plain C and on a side may do so by chance on one and always on the other: the
    /// second run counts, and where that tells them apart, many more.
    fn again_where_both_fail(&mut self) -> Result<()> {
        let fails = |side: usize, name: &String| {
            self.first[side].get(name).is_some_and(|run| failures(&run.results).is_some())
        };
        let both = |name: &String| fails(0, name) && (1..self.sides.len()).any(|s| fails(s, name));
        let names = self.first[0].keys().filter(|name| both(name) && !self.varies(name));
        let names: Vec<&String> = names.collect();
        if names.is_empty() {
            return Ok(());
        }
        let sides = 0..self.sides.len();
        let jobs = names.iter().flat_map(|name| sides.clone().filter_map(|s| self.job(s, name, 0)));
        for run in self.run_jobs(jobs.collect(), "again what failed on both sides")? {
            self.first[run.side].insert(run.name.clone(), run);
        }
        Ok(())
    }

    fn job(&self, side: usize, name: &str, turn: usize) -> Option<Job<'_>> {
        let test = self.tests[side].get(name)?;
        let log = self.records.join(&self.sides[side].name).join(test.log_name(turn));
        Some(Job { side, test, log })
    }

    fn run_jobs(&self, jobs: Vec<Job>, title: &str) -> Result<Vec<Run>> {
        runner::run_shown(self.ctx, title, self.records, &jobs)
    }

    /// Every test with its seconds on plain C, slowest first.
    pub fn seconds(&self) -> Vec<(String, f64)> {
        let base = self.first[0].values();
        let mut seconds: Vec<_> = base.map(|run| (run.name.clone(), run.seconds)).collect();
        seconds.sort_by(|a, b| b.1.total_cmp(&a.1));
        seconds
    }

    /// Every test that skips something on plain C and on another side alike, with what and why.
    pub fn left_out(&self) -> BTreeMap<&String, String> {
        let alike = |(name, run): (_, &Run)| {
            let mut others = self.first.iter().skip(1).filter_map(|runs| runs.get(name));
            others.find_map(|other| Some((name, left_out(&run.results, &other.results)?)))
        };
        self.first.first().into_iter().flatten().filter_map(alike).collect()
    }

    /// Compares a side with plain C, suite by suite.
    pub fn compare(&self, side: usize) -> Result<BTreeMap<String, Compared>> {
        let mut compared = BTreeMap::<String, Compared>::new();
        let mut differing = Vec::new();
        let mut failing = Vec::new();
        for (name, run) in &self.first[0] {
            let suite = compared.entry(run.suite.clone()).or_default();
            suite.programs += 1;
            suite.results += tap::ran(&run.results);
            match self.first[side].get(name) {
                None => suite.differences.push(Difference {
                    item: name.clone(),
                    base: "runs".into(),
                    series: NOTHING.into(),
                }),
                Some(other) if self.varies(name) || !alike(&run.results, &other.results) => {
                    differing.push(name.clone());
                    let failed = failures(&other.results);
                    suite.notes.extend(failed.map(|failed| self.last_words(other, &failed)));
                }
                Some(other) => {
                    let failed = failures(&run.results);
                    suite.alike.extend(failed.map(|failed| (name.clone(), failed)));
                    let added =
                        other.results.keys().filter(|part| !run.results.contains_key(*part));
                    suite
                        .notes
                        .extend(added.map(|part| format!("added by the series: {name}: {part}")));
                }
            }
        }
        for (name, run) in &self.first[side] {
            if !self.first[0].contains_key(name) {
                let suite = compared.entry(run.suite.clone()).or_default();
                match failures(&run.results) {
                    None => suite.notes.push(format!("added by the series, passes: {name}")),
                    Some(failed) => failing.push((run, failed)),
                }
            }
        }
        self.repeat(side, differing, &mut compared)?;
        for (run, failed) in failing {
            let into = compared.entry(run.suite.clone()).or_default();
            self.failed(run, failed, into)?;
        }
        Ok(compared)
    }

    /// A test of the series' own has no excuse, not even if it then passes: how often it fails and
    /// its last words tell whether it is chance.
    fn failed(&self, first: &Run, failed: String, into: &mut Compared) -> Result<()> {
        let name = &first.name;
        into.notes.push(self.last_words(first, &failed));
        let jobs = (1..=ROUND).filter_map(|turn| self.job(first.side, name, turn)).collect();
        let again = self.run_jobs(jobs, &format!("again {name}"))?;
        let fails = again.iter().filter(|run| failures(&run.results).is_some()).count();
        into.differences.push(Difference {
            item: name.clone(),
            base: NOTHING.into(),
            series: format!("{failed}, then {fails} of {ROUND} runs failed"),
        });
        Ok(())
    }

    /// What a program said last, which tells why it failed.
    fn last_words(&self, run: &Run, failed: &str) -> String {
        let log = self.job(run.side, &run.name, 0).and_then(|job| fs::read(job.log).ok());
        let words = last_words(&String::from_utf8_lossy(&log.unwrap_or_default()));
        format!("{}: {failed}; it ended with{words}", run.name)
    }

    fn varies(&self, name: &str) -> bool {
        self.tests[0].get(name).is_some_and(|test| test.varies)
    }

    /// Runs tests whose first runs differ until it is clear whether that is chance.
    fn repeat(
        &self,
        side: usize,
        names: Vec<String>,
        compared: &mut BTreeMap<String, Compared>,
    ) -> Result<()> {
        let mut open: Vec<(String, Repeats)> =
            names.into_iter().map(|name| (name, Repeats::default())).collect();
        let mut turn = 0;
        while !open.is_empty() {
            let mut jobs = Vec::new();
            for _ in 0..ROUND {
                turn += 1;
                // Which of a pair runs first decides how busy it finds the machine.
                let pair = if turn % 2 == 0 { [side, 0] } else { [0, side] };
                for (name, _) in &open {
                    jobs.extend(pair.into_iter().filter_map(|s| self.job(s, name, turn)));
                }
            }
            let title = format!("again on base and {}", self.sides[side].name);
            for run in self.run_jobs(jobs, &title)? {
                if let Some((_, repeats)) = open.iter_mut().find(|(name, _)| *name == run.name) {
                    repeats.add(run.side != 0, run.results);
                }
            }
            let (settled, rest) = open.into_iter().partition(|(_, repeats)| !repeats.is_open());
            open = rest;
            for (name, repeats) in settled {
                let suite = &self.first[0].get(&name).context("a test that never ran")?.suite;
                let into = compared.entry(suite.clone()).or_default();
                repeats.settle(&name, into);
            }
        }
        Ok(())
    }
}

/// Whether the series does what plain C does; a test that it adds to a program must not fail.
fn alike(base: &Results, series: &Results) -> bool {
    let added = series.iter().filter(|(part, _)| !base.contains_key(*part));
    base.iter().all(|(part, status)| series.get(part) == Some(status))
        && added.into_iter().all(|(_, status)| !status.starts_with("FAIL"))
}

/// What a test leaves out on both sides alike: the first part with its reason, and how many more.
fn left_out(base: &Results, series: &Results) -> Option<String> {
    let mut skipped = tap::skipped(base);
    skipped.retain(|(part, _)| base.get(part) == series.get(part));
    let (part, reason) = skipped.first()?;
    let more = match skipped.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!("{part}: {reason}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::tap::END;

    fn results(parts: &[(&str, &str)]) -> Results {
        parts.iter().map(|(part, status)| (part.to_string(), status.to_string())).collect()
    }

    #[test]
    fn a_test_may_be_added_but_not_lost_or_failed() {
        let base = results(&[("a", "pass"), (END, "exit code 0")]);
        let with = |part, status| results(&[("a", "pass"), (part, status), (END, "exit code 0")]);
        assert!(alike(&base, &base));
        assert!(alike(&base, &with("b", "pass")));
        assert!(!alike(&base, &with("b", "FAIL")));
        assert!(!alike(&with("b", "pass"), &base));
        assert!(!alike(&base, &results(&[("a", "FAIL"), (END, "exit code 0")])));
    }

    #[test]
    fn what_both_sides_skip_is_told_once_for_a_test() {
        let base = results(&[("a", "pass"), ("b", "SKIP no KVM"), ("c", "SKIP"), ("d", "SKIP x")]);
        let series = results(&[("b", "SKIP no KVM"), ("c", "SKIP"), ("d", "pass")]);
        assert_eq!(left_out(&base, &series).as_deref(), Some("b: no KVM, and 1 more"));
        assert_eq!(left_out(&series, &base).as_deref(), Some("b: no KVM, and 1 more"));
        assert_eq!(left_out(&base, &results(&[("a", "pass"), ("b", "pass")])), None);
    }
}
