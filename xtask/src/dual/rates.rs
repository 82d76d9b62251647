// SPDX-License-Identifier: GPL-2.0-or-later
//! When two rates of failure are different ones, and when it is chance.
//!
//! A test whose first runs differ is run again on both sides, in rounds. The first runs do not
//! count: it is for them that the test was chosen. After each round Fisher's exact test says how
//! likely counts at least so far apart are if both sides are alike. Below one in a thousand it is
//! a difference; above 30 % it is chance; in between another round is run, up to the last, after
//! which it is chance too. So ten runs on each side tell "always" from "never"; thirty tell ten
//! failures from none, but not three from none: a rare failure that the series would bring is not
//! found by this, nor is it meant to be.
//!
//! The level is that low because runs are not independent of each other: a test that lives or dies
//! by how busy the machine is fails in spells.

/// Runs on each side in one round.
pub const ROUND: usize = 5;
/// After so many rounds what is not a difference is chance.
pub const ROUNDS: usize = 6;

const DIFFERENT: f64 = 0.001;
const CHANCE: f64 = 0.3;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judgement {
    Different,
    Chance,
    /// More runs are needed.
    Open,
}

/// Judges how often something came up, on each side in `runs` runs.
pub fn judge(base: usize, series: usize, runs: usize) -> Judgement {
    let likely = fisher(base, series, runs);
    if likely < DIFFERENT {
        Judgement::Different
    } else if likely > CHANCE || runs >= ROUND * ROUNDS {
        Judgement::Chance
    } else {
        Judgement::Open
    }
}

/// Fisher's exact test, two-sided, of `a` in `n` runs against `b` in `n` runs.
fn fisher(a: usize, b: usize, n: usize) -> f64 {
    let total = a + b;
    let weight = |k: usize| choose(n, k) * choose(n, total - k);
    let observed = weight(a);
    let all = choose(2 * n, total);
    // Weights equal but for rounding count as equal.
    let as_far = |w: &f64| *w <= observed * (1.0 + 1e-9);
    let range = total.saturating_sub(n)..=total.min(n);
    range.map(weight).filter(as_far).sum::<f64>() / all
}

fn choose(n: usize, k: usize) -> f64 {
    (1..=k).map(|i| (n - k + i) as f64 / i as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fisher_agrees_with_the_tables() {
        for (a, b, n, wanted) in
            [(5, 0, 5, 0.0079), (4, 0, 5, 0.0476), (7, 0, 15, 0.0063), (12, 4, 15, 0.0092)]
        {
            assert!((fisher(a, b, n) - wanted).abs() < 5e-5, "{a} {b} {n}: {}", fisher(a, b, n));
            assert!((fisher(b, a, n) - wanted).abs() < 5e-5);
        }
        assert!((fisher(3, 3, 5) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn always_against_never_needs_two_rounds() {
        assert_eq!(judge(0, 5, 5), Judgement::Open);
        assert_eq!(judge(0, 10, 10), Judgement::Different);
        assert_eq!(judge(10, 0, 10), Judgement::Different);
    }

    #[test]
    fn equal_rates_are_chance() {
        assert_eq!(judge(0, 0, 5), Judgement::Chance);
        assert_eq!(judge(2, 1, 5), Judgement::Chance);
    }

    #[test]
    fn what_is_in_between_is_run_again_but_not_for_ever() {
        assert_eq!(judge(0, 4, 5), Judgement::Open);
        assert_eq!(judge(12, 4, 15), Judgement::Open);
        assert_eq!(judge(0, 3, 30), Judgement::Chance);
        assert_eq!(judge(0, 10, 30), Judgement::Different);
    }
}
