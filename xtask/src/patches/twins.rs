// SPDX-License-Identifier: GPL-2.0-or-later
//! One step, two versions of QEMU: it says and changes the same in both, unless it is told why not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::ctx::Ctx;
use crate::series;
use crate::version::Version;

/// The steps that differ, in `patches/`.
const DIFFERS: &str = "differs.toml";

/// `0007-` before the name of a patch.
const NUMBER: usize = 5;

#[derive(Deserialize)]
struct Differs {
    step: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    /// How its file's name begins.
    name: String,
    #[serde(rename = "why")]
    _why: String,
}

pub fn check(ctx: &Ctx) -> Result<()> {
    let path = ctx.root.join("patches").join(DIFFERS);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let told: Differs = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let names: Vec<String> = told.step.into_iter().map(|step| step.name).collect();
    let [one, other] = Version::ALL.map(|version| steps(&series::list(ctx, version)?));
    let (one, other) = (one?, other?);
    let differ = differing(&one, &other);
    let is_told = |step: &&String| names.iter().any(|name| step.starts_with(name.as_str()));
    let untold: Vec<_> = differ.iter().filter(|step| !is_told(step)).collect();
    ensure!(untold.is_empty(), "not the same in both versions, and not in {DIFFERS}: {untold:?}");
    let in_vain = names.iter().find(|name| !differ.iter().any(|step| step.starts_with(*name)));
    ensure!(in_vain.is_none(), "{DIFFERS} names {in_vain:?}, which is the same in both versions");
    Ok(())
}

/// By name, what each patch says and changes.
fn steps(patches: &[PathBuf]) -> Result<BTreeMap<String, String>> {
    let step = |patch: &PathBuf| {
        let name = patch.file_name().unwrap_or_default().to_string_lossy();
        let name = name.get(NUMBER..).context("a patch without a number")?;
        Ok((name.to_string(), essence(&fs::read_to_string(patch)?)?))
    };
    patches.iter().map(step).collect()
}

/// The message, then the lines that come and go.
fn essence(patch: &str) -> Result<String> {
    let (head, diff) = patch.split_once("\n---\n").context("no end of the message")?;
    let (_, message) = head.split_once("] ").context("no [PATCH] in the subject")?;
    let changed = diff.lines().filter(|line| line.starts_with(['+', '-']));
    let changed = changed.filter(|line| !line.starts_with("+++ ") && !line.starts_with("--- "));
    Ok([message].into_iter().chain(changed).collect::<Vec<_>>().join("\n"))
}

fn differing<'a>(
    one: &'a BTreeMap<String, String>,
    other: &'a BTreeMap<String, String>,
) -> BTreeSet<&'a String> {
    let names = one.keys().chain(other.keys());
    names.filter(|name| one.get(*name) != other.get(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "From 1 Mon\nSubject: [PATCH 1/9] a: b\n\nWhy.\n---\n a.c | 2 +-\n\n\
                         --- a/a.c\n+++ b/a.c\n@@ -1,2 +1,2 @@\n around\n-old\n+new\n";

    #[test]
    fn what_lies_around_does_not_count() {
        let moved = PATCH.replace("1/9", "3/7").replace("-1,2 +1,2", "-8,2 +8,2");
        let moved = moved.replace("around", "elsewhere");
        assert_eq!(essence(PATCH).unwrap(), "a: b\n\nWhy.\n-old\n+new");
        assert_eq!(essence(PATCH).unwrap(), essence(&moved).unwrap());
        for change in [PATCH.replace("Why", "How"), PATCH.replace("+new", "+newer")] {
            assert_ne!(essence(PATCH).unwrap(), essence(&change).unwrap());
        }
    }

    #[test]
    fn a_step_of_one_version_differs() {
        let steps = |names: &[&str]| names.iter().map(|n| (n.to_string(), "x".into())).collect();
        let (one, other) = (steps(&["a", "b"]), steps(&["b", "c"]));
        assert_eq!(differing(&one, &other).into_iter().collect::<Vec<_>>(), ["a", "c"]);
    }
}
