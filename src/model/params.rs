// SPDX-License-Identifier: GPL-2.0-or-later
//! The parameters of an IOThread's polling: names, defaults, range.

use core::cell::Cell;
use core::ffi::CStr;
use core::mem::offset_of;

/// How an IOThread polls before it sleeps, in nanoseconds.
///
/// Belongs to the main thread, which sets and reads it; the AioContext has its
/// own copy.
#[derive(Debug, Default)]
pub struct PollParams {
    /// Longest time to poll; 0 switches polling off.
    pub max_ns: Cell<i64>,
    /// Factor by which the polling time grows; 0 leaves it to the AioContext.
    pub grow: Cell<i64>,
    /// Divisor by which the polling time shrinks; 0 resets it to nothing.
    pub shrink: Cell<i64>,
}

/// One parameter as users see it: a QOM property of type `int`.
///
/// Invariant: `offset` is that of a value in [`PollParams`].
#[derive(Debug)]
pub struct Param {
    /// The property's name.
    pub name: &'static CStr,
    offset: usize,
}

/// Every parameter, in the order in which they are registered.
pub static PARAMS: [Param; 3] = [
    Param { name: c"poll-max-ns", offset: offset_of!(PollParams, max_ns) },
    Param { name: c"poll-grow", offset: offset_of!(PollParams, grow) },
    Param { name: c"poll-shrink", offset: offset_of!(PollParams, shrink) },
];

impl Param {
    /// At which byte of a [`PollParams`] its value begins.
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// Longest time to poll unless the user says otherwise; the other parameters are 0
/// then. Polling times of 16 to 32 microseconds raised the request rate on NVMe drives
/// at queue depths 1 and 32 alike when QEMU chose this default.
pub const POLL_MAX_NS: i64 = 32_768;

/// Whether a parameter may be `value`.
pub const fn in_range(value: i64) -> bool {
    value >= 0
}

/// What a user is told whose value is not in the range, after the parameter's name.
pub const NOT_IN_RANGE: &CStr = c"%s value must be in range [0, 9223372036854775807]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_has_its_own_value() {
        let params = PollParams::default();
        let values = [&params.max_ns, &params.grow, &params.shrink];
        let start = &raw const params;
        for (param, value) in PARAMS.iter().zip(values) {
            assert_eq!(start.wrapping_byte_add(param.offset()).cast(), value as *const Cell<i64>);
        }
    }

    #[test]
    fn the_range_is_what_the_error_says() {
        assert!(in_range(0) && in_range(i64::MAX));
        assert!(!in_range(-1) && !in_range(i64::MIN));
        let range = std::format!("%s value must be in range [0, {}]", i64::MAX);
        assert_eq!(NOT_IN_RANGE.to_str(), Ok(range.as_str()));
    }
}
