// SPDX-License-Identifier: GPL-2.0-or-later
//! The parameters of an IOThread's polling: names, defaults, range.

use core::cell::Cell;
use core::ffi::CStr;

/// How an IOThread polls before it sleeps, in nanoseconds.
///
/// Belongs to the main thread, which sets and reads it; the AioContext has its
/// own copy.
#[derive(Debug)]
pub struct PollParams {
    /// Longest time to poll; 0 switches polling off.
    pub max_ns: Cell<i64>,
    /// Factor by which the polling time grows; 0 leaves it to the AioContext.
    pub grow: Cell<i64>,
    /// Divisor by which the polling time shrinks; 0 resets it to nothing.
    pub shrink: Cell<i64>,
}

/// One parameter as users see it: a QOM property of type `int`.
#[derive(Debug)]
pub struct Param {
    /// The property's name.
    pub name: &'static CStr,
    /// Where its value is.
    pub value: fn(&PollParams) -> &Cell<i64>,
}

/// Every parameter, in the order in which they are registered.
pub static PARAMS: [Param; 3] = [
    Param { name: c"poll-max-ns", value: |params| &params.max_ns },
    Param { name: c"poll-grow", value: |params| &params.grow },
    Param { name: c"poll-shrink", value: |params| &params.shrink },
];

impl PollParams {
    /// Polling times of 16 to 32 microseconds raised the request rate on NVMe
    /// drives at queue depths 1 and 32 alike when QEMU chose this default.
    pub const fn new() -> Self {
        Self { max_ns: Cell::new(32_768), grow: Cell::new(0), shrink: Cell::new(0) }
    }
}

impl Default for PollParams {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a parameter may be `value`: anything from 0 to `i64::MAX`.
pub const fn in_range(value: i64) -> bool {
    value >= 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_has_its_own_value() {
        let params = PollParams::new();
        for (i, param) in (1..).zip(&PARAMS) {
            (param.value)(&params).set(i);
        }
        assert_eq!((params.max_ns.get(), params.grow.get(), params.shrink.get()), (1, 2, 3));
    }

    #[test]
    fn the_range_is_what_the_error_says() {
        assert!(in_range(0) && in_range(i64::MAX));
        assert!(!in_range(-1) && !in_range(i64::MIN));
    }
}
