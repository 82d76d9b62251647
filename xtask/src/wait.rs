// SPDX-License-Identifier: GPL-2.0-or-later
//! Waiting for what nobody tells of.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

const PAUSE: Duration = Duration::from_millis(5);

/// Whether it comes true within `limit`.
pub fn comes_true(limit: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<bool> {
    let start = Instant::now();
    loop {
        if is_so()? {
            return Ok(true);
        }
        if start.elapsed() >= limit {
            return Ok(false);
        }
        sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_it_is_so_or_too_late() {
        let mut left = 3;
        let counted = || {
            left -= 1;
            Ok(left == 0)
        };
        assert!(comes_true(Duration::from_secs(60), counted).unwrap());
        assert!(!comes_true(Duration::ZERO, || Ok(false)).unwrap());
    }
}
