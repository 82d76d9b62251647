// SPDX-License-Identifier: GPL-2.0-or-later
//! What plain C fails, too, and whether it does so as often as the series.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Result;

use super::batch::in_company;
use super::suite::is_brought;
use crate::build::{self, Flavor};
use crate::ctx::Ctx;
use crate::dual::rates::{self, Judgement};
use crate::lock::shared;
use crate::suites::{iotests, meson};
use crate::version::{Point, Tree};

/// Plain C, asked about what fails: some of QEMU's tests need what not every machine has, or fail now
/// and then.
pub struct PlainC<'a> {
    tree: &'a Tree,
    flavor: Flavor,
    /// What it was seen to fail every time: that tells nothing of a commit, and is run no more.
    failing: Mutex<BTreeSet<String>>,
}

impl PlainC<'_> {
    pub fn new(tree: &Tree, flavor: Flavor) -> PlainC<'_> {
        PlainC { tree, flavor, failing: Mutex::default() }
    }

    pub fn failing(&self) -> BTreeSet<String> {
        shared(&self.failing).clone()
    }

    /// Runs a test that failed on the series in rounds on both sides. How often it failed, if plain C
    /// does so, too, and no less often; nothing if not, or if plain C has no such test.
    pub fn fails_too(
        &self,
        ctx: &Ctx,
        name: &str,
        series: &Path,
        fails: impl Fn(&Path) -> Result<bool>,
    ) -> Result<Option<String>> {
        if is_brought(name) {
            return Ok(None);
        }
        let company = in_company();
        let base = build::aside(ctx, self.tree, Point::Base, self.flavor)?;
        drop(company);
        if !is_known(&base.source, &meson::list(&base.build)?, name) {
            return Ok(None);
        }
        let Some(rounds) = Rounds::run(|| fails(&base.build), || fails(series))? else {
            return Ok(None);
        };
        let Rounds { runs, on_base, on_series } = rounds;
        if on_base == runs {
            shared(&self.failing).insert(name.to_string());
        }
        Ok(Some(format!("{on_series} of {runs} times, on plain C {on_base}")))
    }
}

/// Whether plain C has a test of that name among Meson's or, in whatever format, the iotests.
fn is_known(source: &Path, listed: &[String], name: &str) -> bool {
    listed.iter().any(|listed| listed == name) || iotests::exists(source, iotests::bare(name))
}

/// How often a test failed in so many runs on each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rounds {
    runs: usize,
    on_base: usize,
    on_series: usize,
}

impl Rounds {
    /// Goes on until it is clear that the series fails no more often than plain C, which must be seen
    /// to fail; nothing if that does not become clear.
    fn run(
        base: impl Fn() -> Result<bool>,
        series: impl Fn() -> Result<bool>,
    ) -> Result<Option<Rounds>> {
        let mut rounds = Rounds::default();
        for _ in 0..rates::ROUNDS {
            for _ in 0..rates::ROUND {
                rounds.runs += 1;
                rounds.on_base += usize::from(base()?);
                rounds.on_series += usize::from(series()?);
            }
            let Rounds { runs, on_base, on_series } = rounds;
            match rates::judge(on_base, on_series, runs) {
                Judgement::Different if on_series > on_base => return Ok(None),
                Judgement::Different | Judgement::Chance if on_base > 0 => return Ok(Some(rounds)),
                _ => (),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_known_by_the_name_that_its_runner_has() {
        let source = tempfile::tempdir().unwrap();
        let dir = source.path().join("tests/qemu-iotests/tests");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("../118"), "").unwrap();
        std::fs::write(dir.join("iothreads-create"), "").unwrap();
        let known = |name| is_known(source.path(), &["q/migration-test".to_string()], name);
        let there = ["q/migration-test", "118", "raw 118", "qcow2 iothreads-create"];
        assert!(there.into_iter().all(known));
        assert!(!["migration-test", "raw 307", "raw", "118 raw"].into_iter().any(known));
    }

    #[test]
    fn only_what_fails_on_plain_c_is_excused() {
        // Each side fails in every so manieth run, or never.
        let every = |n: usize| {
            let runs = std::cell::Cell::new(0);
            move || {
                runs.set(runs.get() + 1);
                Ok(n > 0 && runs.get() % n == 0)
            }
        };
        let judged = |base, series| Rounds::run(every(base), every(series)).unwrap();
        let seen = |runs, on_base, on_series| Some(Rounds { runs, on_base, on_series });
        assert_eq!(judged(0, 1), None);
        assert_eq!(judged(0, 4), None);
        assert_eq!(judged(3, 3), seen(5, 1, 1));
        assert_eq!(judged(1, 1), seen(5, 5, 5));
        assert_eq!(judged(7, 4), seen(10, 1, 2));
        assert_eq!(judged(7, 1), None);
        assert!(is_brought("qsd-iothreads") && !is_brought("iothreads-nbd-export"));
    }
}
