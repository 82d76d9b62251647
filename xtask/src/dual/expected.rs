// SPDX-License-Identifier: GPL-2.0-or-later
//! The short list of differences that the series intends, `tests/dual/differences.toml`.
//!
//! An entry explains a difference if both sides are equal once it has taken away what it says is
//! only on one of them. An entry that explains nothing any more is a failure of its own. What no
//! conversation shows is listed beside it (`mended`), so that each step of the series is there.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use regex_lite::Regex;
use serde::Deserialize;

use super::compare::Difference;
use super::mended::{Mended, Quiet, Tip};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Raw>,
    #[serde(default)]
    mended: Vec<Mended>,
    #[serde(default)]
    quiet: Vec<Quiet>,
}

/// All of `tests/dual/differences.toml`.
pub struct List {
    pub entries: Vec<Entry>,
    mended: Vec<Mended>,
    quiet: Vec<Quiet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// The comparison that shows it: the name of a conversation or of a suite.
    check: String,
    /// Matches the whole name of the exchange or test.
    item: String,
    /// What plain C shows and the series does not.
    #[serde(default)]
    base_only: Option<String>,
    /// What the series shows and plain C does not.
    #[serde(default)]
    series_only: Option<String>,
    reason: String,
    /// The subject of the commit that brings it.
    commit: String,
}

/// One intended difference.
pub struct Entry {
    check: String,
    /// The expression as it was written.
    name: String,
    item: Regex,
    base_only: Option<Regex>,
    series_only: Option<Regex>,
    reason: String,
    commit: String,
}

impl Entry {
    /// Whether it speaks of that conversation or suite.
    pub fn is_about(&self, check: &str) -> bool {
        self.check == check
    }

    /// Whether a side with these commits is to show it.
    pub fn is_due(&self, subjects: &[String]) -> bool {
        subjects.contains(&self.commit)
    }

    fn strip(side: Option<&Regex>, text: &str) -> String {
        side.map_or_else(|| text.to_string(), |regex| regex.replace_all(text, "").into_owned())
    }
}

/// What is left when the list has been held against what was seen.
#[derive(Default)]
pub struct Verdict {
    pub unexplained: Vec<Difference>,
    pub vanished: Vec<String>,
}

pub fn parse(text: &str) -> Result<List> {
    let File { difference, mended, quiet } =
        toml::from_str(text).context("the list of differences")?;
    mended.iter().try_for_each(Mended::check)?;
    quiet.iter().try_for_each(Quiet::check)?;
    let entries = difference.into_iter().map(entry).collect::<Result<_>>()?;
    Ok(List { entries, mended, quiet })
}

fn entry(raw: Raw) -> Result<Entry> {
    if raw.reason.trim().is_empty() || raw.commit.trim().is_empty() {
        bail!("the difference in {} needs a reason and a commit", raw.item);
    }
    if raw.base_only.is_none() && raw.series_only.is_none() {
        bail!("the difference in {} says not what differs", raw.item);
    }
    let regex = |text: &str| Regex::new(text).with_context(|| format!("bad expression {text}"));
    Ok(Entry {
        check: raw.check,
        item: regex(&format!("^(?:{})$", raw.item))?,
        name: raw.item,
        base_only: raw.base_only.as_deref().map(regex).transpose()?,
        series_only: raw.series_only.as_deref().map(regex).transpose()?,
        reason: raw.reason,
        commit: raw.commit,
    })
}

impl List {
    /// Whether each entry is about something that is compared; else nobody would see it vanish.
    pub fn is_about_only(&self, known: &[&str]) -> Result<()> {
        let stray = self.entries.iter().find(|entry| !known.contains(&entry.check.as_str()));
        stray.map_or(Ok(()), |Entry { name, check, .. }| {
            bail!("{name}: nothing is called {check:?}")
        })
    }
}

/// Whether each entry belongs to a commit of the whole series that may bring one, and each commit
/// that may has its place in the list: with what it changes or mends, or among those that do neither.
pub fn sound(list: &List, tip: &Tip) -> Result<()> {
    for Entry { name, commit, .. } in &list.entries {
        tip.may_bring(commit).with_context(|| name.clone())?;
    }
    list.mended.iter().try_for_each(|mended| mended.sound(tip))?;
    list.quiet.iter().try_for_each(|quiet| quiet.sound(tip))?;
    let shown = list.entries.iter().map(|entry| &entry.commit);
    let told: BTreeSet<_> = shown.chain(list.mended.iter().map(|mended| &mended.commit)).collect();
    let quiet: BTreeSet<_> = list.quiet.iter().flat_map(|quiet| &quiet.commits).collect();
    if let Some(commit) = told.intersection(&quiet).next() {
        bail!("{commit:?} is said to change and to mend nothing, but the list has what it does");
    }
    for commit in tip.subjects.iter().filter(|commit| !tip.pure.contains(commit)) {
        let listed = told.contains(commit) || quiet.contains(commit);
        ensure!(listed, "the list does not say what {commit:?} changes or mends");
    }
    Ok(())
}

/// Holds the entries for one check against the differences that it found.
/// `subjects` are the commits that this point of the series contains.
pub fn settle(
    check: &str,
    subjects: &[String],
    entries: &[Entry],
    differences: Vec<Difference>,
) -> Verdict {
    let due: Vec<&Entry> =
        entries.iter().filter(|entry| entry.is_about(check) && entry.is_due(subjects)).collect();
    let mut used = vec![false; due.len()];
    let mut verdict = Verdict::default();
    for difference in differences {
        if !explain(&difference, &due, &mut used) {
            verdict.unexplained.push(difference);
        }
    }
    for (entry, _) in due.iter().zip(used).filter(|(_, used)| !used) {
        let (item, reason, commit) = (&entry.name, &entry.reason, &entry.commit);
        verdict.vanished.push(format!("{item}: {reason} ({commit})"));
    }
    verdict
}

fn explain(difference: &Difference, due: &[&Entry], used: &mut [bool]) -> bool {
    let (mut base, mut series) = (difference.base.clone(), difference.series.clone());
    let mut helped = Vec::new();
    for (index, entry) in due.iter().enumerate() {
        if !entry.item.is_match(&difference.item) {
            continue;
        }
        let less_base = Entry::strip(entry.base_only.as_ref(), &base);
        let less_series = Entry::strip(entry.series_only.as_ref(), &series);
        if less_base != base || less_series != series {
            helped.push(index);
        }
        (base, series) = (less_base, less_series);
    }
    let explained = base == series;
    if explained {
        for index in helped {
            used[index] = true;
        }
    }
    explained
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::mended;
    use crate::version::Version;

    const LIST: &str = r#"
        [[difference]]
        check = "system"
        item = "live: .*query-iothreads.*"
        series_only = ', "holders": \[[^]]*\]'
        reason = "holders are shown"
        commit = "qapi: holders"
    "#;

    fn difference(item: &str, base: &str, series: &str) -> Difference {
        Difference { item: item.into(), base: base.into(), series: series.into() }
    }

    fn run(differences: Vec<Difference>, subjects: &[&str]) -> Verdict {
        let subjects: Vec<String> = subjects.iter().map(ToString::to_string).collect();
        settle("system", &subjects, &parse(LIST).unwrap().entries, differences)
    }

    #[test]
    fn a_listed_difference_is_explained() {
        let seen =
            difference("live: query-iothreads", r#"{"id": 1}"#, r#"{"id": 1, "holders": []}"#);
        let verdict = run(vec![seen], &["qapi: holders"]);
        assert!(verdict.unexplained.is_empty());
        assert!(verdict.vanished.is_empty());
    }

    #[test]
    fn a_listed_difference_explains_nothing_more() {
        let seen =
            difference("live: query-iothreads", r#"{"id": 1}"#, r#"{"id": 2, "holders": []}"#);
        let verdict = run(vec![seen], &["qapi: holders"]);
        assert_eq!(verdict.unexplained.len(), 1);
        assert_eq!(verdict.vanished.len(), 1);
    }

    #[test]
    fn a_vanished_difference_is_told() {
        assert_eq!(run(vec![], &["qapi: holders"]).vanished.len(), 1);
        assert!(run(vec![], &["an earlier commit"]).vanished.is_empty());
    }

    #[test]
    fn before_its_commit_a_difference_is_not_explained() {
        let seen = difference("live: query-iothreads", "{}", r#"{, "holders": []}"#);
        assert_eq!(run(vec![seen], &["an earlier commit"]).unexplained.len(), 1);
    }

    const MENDED: &str = r#"
        [[mended]]
        commit = "colo: busy"
        reason = "plain C crashes"
        test = "/a/busy"
    "#;

    const QUIET: &str = r#"
        [[quiet]]
        commits = ["header: less"]
    "#;

    /// Whether the list is sound for a series of 10.2 with these commits, of which the last is pure.
    fn holds(list: &str, subjects: &[&str]) -> bool {
        let subjects: Vec<String> = subjects.iter().map(ToString::to_string).collect();
        let pure = &subjects[subjects.len() - 1..];
        let tests = mended::tests::tests();
        let tip = Tip { subjects: &subjects, pure, version: Version::V10_2, tests };
        sound(&parse(list).unwrap(), &tip).is_ok()
    }

    #[test]
    fn an_entry_needs_a_commit_that_may_bring_it() {
        assert!(holds(LIST, &["qapi: holders", "the switch"]));
        assert!(!holds(LIST, &["the switch", "qapi: holders"]));
        assert!(!holds(LIST, &["the switch"]));
    }

    #[test]
    fn what_is_mended_needs_its_commit_and_its_test() {
        assert!(holds(MENDED, &["colo: busy", "the switch"]));
        assert!(!holds(MENDED, &["the switch", "colo: busy"]));
        assert!(!holds(MENDED, &["the switch"]));
        let series = ["colo: busy", "the switch"];
        for (test, sound) in [("/a/idle", false), ("/a/bus", false), ("holders", true)] {
            assert_eq!(holds(&MENDED.replace("/a/busy", test), &series), sound, "{test}");
        }
        let untested = MENDED.replace("test = \"/a/busy\"", "untested = \"it is a race\"");
        assert!(holds(&untested, &series));
    }

    #[test]
    fn what_one_version_has_is_not_demanded_of_another() {
        for list in [MENDED, QUIET] {
            let commit = if list == MENDED { "colo: busy" } else { "header: less" };
            for (only, with, without) in [("10.2", true, false), ("10.0", false, true)] {
                let list = format!("{list}\nonly = \"{only}\"");
                assert_eq!(holds(&list, &[commit, "the switch"]), with, "{list}");
                assert_eq!(holds(&list, &["the switch"]), without, "{list}");
            }
        }
    }

    #[test]
    fn each_commit_has_one_place_in_the_list() {
        let all = [LIST, MENDED, QUIET].concat();
        let series = ["header: less", "colo: busy", "qapi: holders", "the switch"];
        assert!(holds(&all, &series));
        assert!(!holds(&all, &[&["another"], &series[..]].concat()));
        for less in [[LIST, MENDED], [LIST, QUIET], [MENDED, QUIET]] {
            assert!(!holds(&less.concat(), &series));
        }
        assert!(!holds(&all.replace("header: less", "colo: busy"), &series[1..]));
    }

    #[test]
    fn what_is_mended_says_whether_it_is_tested() {
        let test = "test = \"/a/busy\"";
        for other in ["", "test = \" \"", "untested = \"\"", "what = \"/a/busy\""] {
            assert!(parse(&MENDED.replace(test, other)).is_err(), "{other}");
        }
        assert!(parse(&format!("{MENDED}\nuntested = \"it is a race\"")).is_err());
        assert!(parse(&MENDED.replace("plain C crashes", "")).is_err());
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        assert!(parse(&LIST.replace("holders are shown", " ")).is_err());
        assert!(parse("[[difference]]\nwhat = 1").is_err());
        assert!(parse("").unwrap().entries.is_empty());
    }
}
