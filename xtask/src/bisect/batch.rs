// SPDX-License-Identifier: GPL-2.0-or-later
//! Runs the tests that are due, in company if they may, and alone what fails there.

use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;

use anyhow::{Result, anyhow};

use super::plain_c::PlainC;
use crate::ctx::Ctx;
use crate::suites::{Asked, Speed, TestResult, Verdict};

/// How often a test must pass that failed once.
const REPEATS: usize = 3;

/// Who is tried again alone waits here until nothing else is tested or built.
static COMPANY: RwLock<()> = RwLock::new(());

/// Held by what others may run beside.
pub fn in_company() -> RwLockReadGuard<'static, ()> {
    COMPANY.read().unwrap_or_else(PoisonError::into_inner)
}

pub type Runner = fn(&Ctx, &Asked) -> Result<Vec<TestResult>>;

/// Runs the tests of all batches, each by its runner.
pub fn run_all<const N: usize>(
    ctx: &Ctx,
    build: &Path,
    batches: &[Batch; N],
    plain: Option<&PlainC>,
) -> Result<Vec<TestResult>> {
    let mut results = Vec::new();
    if batches.iter().any(|batch| batch.speed == Speed::Slow) {
        // One after the other, and nothing beside them: what fails here does not fail by chance.
        for batch in batches {
            results.extend(batch.run(ctx, build)?);
        }
        return Ok(results);
    }
    // All of them wait a lot; what fails in company is tried again alone.
    let first = thread::scope(|scope| {
        let running = batches.each_ref().map(|batch| scope.spawn(|| batch.run(ctx, build)));
        running.map(|batch| batch.join().map_err(|_| anyhow!("a runner of tests panicked"))?)
    });
    for (batch, first) in batches.iter().zip(first) {
        results.extend(batch.steady(ctx, build, first?, plain)?);
    }
    Ok(results)
}

/// Tests that one runner runs.
pub struct Batch<R = Runner> {
    pub title: String,
    pub speed: Speed,
    pub names: Vec<String>,
    pub run: R,
}

impl<R: Fn(&Ctx, &Asked) -> Result<Vec<TestResult>>> Batch<R> {
    fn run(&self, ctx: &Ctx, build: &Path) -> Result<Vec<TestResult>> {
        let _company = in_company();
        let asked = Asked { build, title: &self.title, speed: self.speed, names: &self.names };
        (self.run)(ctx, &asked)
    }

    /// How it failed, if it did, with nothing beside it.
    fn alone(&self, ctx: &Ctx, build: &Path, name: &String) -> Result<Option<TestResult>> {
        let _alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
        let title = &format!("{} again, {name}", self.title);
        let asked = Asked { build, title, speed: self.speed, names: std::slice::from_ref(name) };
        let once = (self.run)(ctx, &asked)?;
        Ok(once.into_iter().find(|result| result.verdict != Verdict::Pass))
    }

    /// A test that failed is run again on its own: on a busy machine plain C, too, fails now and
    /// then. It counts as passed if it then passes every time, and as skipped if it fails no more
    /// often than on plain C; it is named.
    fn steady(
        &self,
        ctx: &Ctx,
        build: &Path,
        mut results: Vec<TestResult>,
        plain: Option<&PlainC>,
    ) -> Result<Vec<TestResult>> {
        for result in results.iter_mut().filter(|result| result.verdict == Verdict::Fail) {
            let name = &result.name;
            let again: Vec<_> =
                (0..REPEATS).map(|_| self.alone(ctx, build, name)).collect::<Result<_>>()?;
            let Some(failed) = again.into_iter().flatten().last() else {
                let words = &result.words;
                ctx.ui.say(format!(
                    "unsteady: {name} passed {REPEATS} times alone, but first failed{words}"
                ));
                result.verdict = Verdict::Pass;
                continue;
            };
            let fails = |build: &Path| {
                let ended = self.alone(ctx, build, name)?;
                Ok(ended.is_some_and(|result| result.verdict == Verdict::Fail))
            };
            let excuse = match plain {
                Some(plain) => plain.fails_too(ctx, name, build, fails)?,
                None => None,
            };
            match excuse {
                Some(often) => {
                    let excuse = format!("failed alone {often}");
                    ctx.ui.say(format!("unsteady: {name} {excuse}"));
                    result.excuse = Some(excuse);
                    result.verdict = Verdict::Skip;
                }
                None => result.words = failed.words,
            }
        }
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(verdict: Verdict) -> Vec<TestResult> {
        vec![TestResult::new("t", verdict)]
    }

    #[test]
    fn once_is_chance_twice_is_not() {
        let cli = clap::Parser::parse_from(["xtask", "test"]);
        let ctx = Ctx::new(&cli).unwrap();
        let names = ["t".to_string()];
        let verdict = |failures: usize| {
            let runs = std::cell::Cell::new(0);
            let run = |_: &Ctx, _: &Asked| {
                runs.set(runs.get() + 1);
                let failed = runs.get() <= failures;
                Ok(result(if failed { Verdict::Fail } else { Verdict::Pass }))
            };
            let batch =
                Batch { title: "t".into(), speed: Speed::Quick, names: names.to_vec(), run };
            let first = batch.run(&ctx, Path::new("")).unwrap();
            batch.steady(&ctx, Path::new(""), first, None).unwrap()[0].verdict
        };
        assert_eq!(verdict(0), Verdict::Pass);
        assert_eq!(verdict(1), Verdict::Pass);
        assert_eq!(verdict(2), Verdict::Fail);
    }
}
