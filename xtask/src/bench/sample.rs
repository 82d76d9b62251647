// SPDX-License-Identifier: GPL-2.0-or-later
//! Several measurements of one thing.

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub median: f64,
    /// From the smallest to the largest, relative to the median.
    pub spread: f64,
    /// Between these lies what the median would be of many more, in 95 of 100 cases: by the
    /// binomial distribution, whatever that of the values. All of a few.
    pub around_median: [f64; 2],
    pub values: Vec<f64>,
}

impl Sample {
    /// `None` of nothing.
    pub fn of(values: Vec<f64>) -> Option<Sample> {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        let spread = if median == 0.0 { 0.0 } else { (last - first) / median };
        let count = sorted.len() as f64;
        let cut = ((count - 1.96 * count.sqrt()) / 2.0).max(0.0) as usize;
        let around_median = [sorted[cut], sorted[sorted.len() - 1 - cut]];
        Some(Sample { median, spread, around_median, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(Sample::of(vec![3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Sample::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert!(Sample::of(vec![]).is_none());
    }

    #[test]
    fn many_values_tell_more_of_the_median() {
        let around = |count: u32| Sample::of((0..count).map(f64::from).collect()).unwrap();
        assert_eq!(around(1).around_median, [0.0, 0.0]);
        assert_eq!(around(7).around_median, [0.0, 6.0]);
        assert_eq!(around(25).around_median, [7.0, 17.0]);
    }

    #[test]
    fn the_spread_is_relative() {
        assert_eq!(Sample::of(vec![9.0, 10.0, 11.0]).unwrap().spread, 0.2);
        assert_eq!(Sample::of(vec![7.0]).unwrap().spread, 0.0);
    }
}
