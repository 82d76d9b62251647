// SPDX-License-Identifier: GPL-2.0-or-later
//! The short list of differences that the series intends, `tests/dual/differences.toml`.
//!
//! An entry explains a difference if both sides are equal once it has taken away what it says is
//! only on one of them. An entry that explains nothing any more is a failure of its own.

use anyhow::{Context, Result, bail, ensure};
use regex_lite::Regex;
use serde::Deserialize;

use super::compare::Difference;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Raw>,
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

pub fn parse(text: &str) -> Result<Vec<Entry>> {
    let file: File = toml::from_str(text).context("the list of differences")?;
    file.difference.into_iter().map(entry).collect()
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

/// Whether each entry belongs to a commit of the whole series `subjects` that may bring one;
/// those in `pure` may not.
pub fn sound(entries: &[Entry], subjects: &[String], pure: &[String]) -> Result<()> {
    for Entry { name, commit, .. } in entries {
        ensure!(subjects.contains(commit), "{name}: the series has no commit {commit:?}");
        ensure!(!pure.contains(commit), "{name}: {commit:?} may bring no difference");
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
        settle("system", &subjects, &parse(LIST).unwrap(), differences)
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

    #[test]
    fn an_entry_needs_a_commit_that_may_bring_it() {
        let entries = parse(LIST).unwrap();
        let series = ["qapi: holders".to_string(), "the switch".to_string()];
        assert!(sound(&entries, &series, &series[1..]).is_ok());
        assert!(sound(&entries, &series, &series).is_err());
        assert!(sound(&entries, &series[1..], &[]).is_err());
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        assert!(parse(&LIST.replace("holders are shown", " ")).is_err());
        assert!(parse("[[difference]]\nwhat = 1").is_err());
        assert!(parse("").unwrap().is_empty());
    }
}
