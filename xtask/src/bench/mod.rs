// SPDX-License-Identifier: GPL-2.0-or-later
//! `bench`: measures Rust against plain C, side by side in one run.

mod build_time;
mod callgrind;
mod daemon;
mod harness;
mod holders;
mod lab;
mod lifecycle;
mod nbd;
mod plot;
pub mod query;
mod row;
mod sample;
mod table;
mod text;
mod tools;
mod wakeup;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::ctx::Ctx;
use crate::flags;
use crate::host::Host;
use crate::setup;
use lab::Lab;
use row::{Goal, Row};
use tools::Tools;

/// What the measuring needs of Debian beyond a build.
const PACKAGES: &[&str] = &["binutils", "fio", "valgrind"];

/// Above this load, what was timed had company.
const QUIET: f64 = 1.0;

type Bench = fn(&Lab) -> Result<Vec<Row>>;

/// What is timed comes first, while the machine is quiet.
const BENCHES: &[(&str, Bench)] = &[
    ("nbd", nbd::run),
    ("lifecycle", lifecycle::run),
    ("wakeup", wakeup::run),
    ("holders", holders::run),
    ("query", query::run),
    ("text", text::run),
    ("build-time", build_time::run),
];

/// What is kept of a run.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    host: &'a Host,
    #[serde(flatten)]
    tools: &'a Tools,
    rows: &'a [Row],
}

pub fn run(ctx: &Ctx, args: &flags::Bench) -> Result<()> {
    let chosen = choose(args.name.as_deref()).unwrap_or_else(|error| flags::wrong_usage(error));
    setup::extra(ctx, PACKAGES)?;
    // Before any of the machine's load is ours.
    let host = Host::now(&ctx.root)?;
    let lab = Lab::new(ctx, args.builds.as_deref())?;
    let tools = Tools::of(&lab)?;
    let mut rows = Vec::new();
    for (name, bench) in chosen {
        ctx.ui.say(format!("bench {name} ..."));
        rows.extend(bench(&lab).with_context(|| format!("bench {name}"))?);
    }
    if host.load > QUIET {
        rows.iter_mut().for_each(Row::in_company);
    }
    let record = Record { host: &host, tools: &tools, rows: &rows };
    publish(ctx, args.name.as_deref(), &record)?;
    let open = rows.iter().filter(|row| row.met.is_none() && row.goal != Goal::None).count();
    if open > 0 {
        out!(
            "{open} goals without a verdict: the machine is too busy, or they are missed by little"
        );
    }
    let missed = rows.iter().filter(|row| row.met == Some(false));
    let missed: Vec<_> = missed.map(|row| format!("{} {}", row.bench, row.case)).collect();
    ensure!(missed.is_empty(), "the goal is missed: {}", missed.join(", "));
    Ok(())
}

fn choose(name: Option<&str>) -> Result<Vec<(&'static str, Bench)>> {
    let known = || BENCHES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let chosen: Vec<_> = BENCHES
        .iter()
        .filter(|(known, _)| name.is_none_or(|name| name == *known))
        .copied()
        .collect();
    if chosen.is_empty() {
        bail!("no bench is called {}; there are {}", name.unwrap_or_default(), known());
    }
    Ok(chosen)
}

fn publish(ctx: &Ctx, name: Option<&str>, record: &Record) -> Result<()> {
    let &Record { host, tools, rows, .. } = record;
    let dir = ctx.target.join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let stem = name.unwrap_or("all");
    let json = dir.join(format!("{stem}.json"));
    let text = serde_json::to_string_pretty(record)?;
    fs::write(&json, text).with_context(|| format!("cannot write {}", json.display()))?;
    let title = format!("{host}, {}", tools.qemu);
    out!("{title}\n\n{}\n", table::table(rows));
    out!("{}", ctx.show(&json));
    if rows.iter().any(|row| row.compared.is_some()) {
        let svg = dir.join(format!("{stem}.svg"));
        plot::write(&svg, &title, rows)?;
        out!("{}", ctx.show(&svg));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_is_chosen_by_name_or_all_are() {
        assert_eq!(choose(Some("text")).unwrap().len(), 1);
        assert_eq!(choose(None).unwrap().len(), BENCHES.len());
        assert!(choose(Some("speed")).unwrap_err().to_string().contains("holders"));
    }
}
