// SPDX-License-Identifier: GPL-2.0-or-later
//! Several measurements of one thing.

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub median: f64,
    /// From the smallest to the largest, relative to the median.
    pub spread: f64,
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
        Some(Sample { median, spread, values })
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
    fn the_spread_is_relative() {
        assert_eq!(Sample::of(vec![9.0, 10.0, 11.0]).unwrap().spread, 0.2);
        assert_eq!(Sample::of(vec![7.0]).unwrap().spread, 0.0);
    }
}
