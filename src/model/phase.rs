// SPDX-License-Identifier: GPL-2.0-or-later
//! The life of an IOThread, and the only place where it moves on.
//!
//! ```text
//! New ──Spawn──► Starting ──ThreadUp──► Running ──Stop──► Stopping ──Quit──► Leaving ──Joined──► Ended
//! ```
//!
//! Completing that fails leaves an IOThread `New`; it can be tried again.
//!
//! Two steps lie between the request to stop and the end because the request is
//! a bottom half of the IOThread's own: a loop that ended on the request alone
//! would leave that bottom half pending, and QEMU aborts on those.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU8, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU8, Ordering};

/// Where an IOThread stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// It has no thread: not completed yet, or completing failed.
    New,
    /// Its thread was created and has not reported yet.
    Starting,
    /// Its thread runs the event loop.
    Running,
    /// Its thread was asked to stop and may not know it yet.
    Stopping,
    /// Its thread has seen the request and leaves the event loop.
    Leaving,
    /// Its thread has been joined.
    Ended,
}

/// What moves an IOThread on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The object is completed: its thread is created.
    Spawn,
    /// The thread reports that it is up.
    ThreadUp,
    /// Somebody asks it to stop.
    Stop,
    /// The thread runs the request to stop.
    Quit,
    /// Whoever asked has joined the thread.
    Joined,
}

impl Trigger {
    /// The one phase in which it means something, and the phase that follows.
    const fn step(self) -> (Phase, Phase) {
        match self {
            Self::Spawn => (Phase::New, Phase::Starting),
            Self::ThreadUp => (Phase::Starting, Phase::Running),
            Self::Stop => (Phase::Running, Phase::Stopping),
            Self::Quit => (Phase::Stopping, Phase::Leaving),
            Self::Joined => (Phase::Leaving, Phase::Ended),
        }
    }
}

impl Phase {
    /// The phase that follows, or `None` where `trigger` means nothing, as a
    /// second `Stop`.
    pub fn on(self, trigger: Trigger) -> Option<Self> {
        let (from, to) = trigger.step();
        (self == from).then_some(to)
    }

    const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::New,
            1 => Self::Starting,
            2 => Self::Running,
            3 => Self::Stopping,
            4 => Self::Leaving,
            _ => Self::Ended,
        }
    }
}

/// The phase of an IOThread as its own thread and all others see it.
///
/// At any time one thread alone may move it on: the IOThread's own for
/// `ThreadUp` and `Quit`, and for the rest whoever completes or stops it, one at a
/// time, who waits for these. So no transition races with another.
#[derive(Debug)]
pub struct PhaseCell(AtomicU8);

impl PhaseCell {
    /// A life that begins.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU8::new(Phase::New as u8))
    }

    /// A life that begins, under the model checker.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicU8::new(Phase::New as u8))
    }

    /// Where it stands; what was written before that step is visible.
    pub fn get(&self) -> Phase {
        Phase::from_u8(self.0.load(Ordering::Acquire))
    }

    /// Moves on at a trigger that comes in its phase alone.
    pub fn advance(&self, trigger: Trigger) {
        let (from, to) = trigger.step();
        debug_assert_eq!(self.get(), from, "{trigger:?}");
        self.0.store(to as u8, Ordering::Release);
    }

    /// Moves on at a trigger that may come at any time, and says whether it meant
    /// anything.
    #[must_use]
    pub fn try_advance(&self, trigger: Trigger) -> bool {
        let meant = self.get().on(trigger).is_some();
        if meant {
            self.advance(trigger);
        }
        meant
    }

    /// Whether the event loop goes on.
    pub fn keeps_running(&self) -> bool {
        self.0.load(Ordering::Acquire) < Phase::Leaving as u8
    }
}

impl Default for PhaseCell {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PHASES: [Phase; 6] = [
        Phase::New,
        Phase::Starting,
        Phase::Running,
        Phase::Stopping,
        Phase::Leaving,
        Phase::Ended,
    ];
    const TRIGGERS: [Trigger; 5] =
        [Trigger::Spawn, Trigger::ThreadUp, Trigger::Stop, Trigger::Quit, Trigger::Joined];

    #[test]
    fn a_life_goes_through_all_phases_in_order() {
        let cell = PhaseCell::new();
        let mut seen = std::vec![cell.get()];
        for trigger in TRIGGERS {
            cell.advance(trigger);
            seen.push(cell.get());
        }
        assert_eq!(seen, PHASES);
    }

    #[test]
    fn stopping_means_something_only_while_it_runs() {
        let cell = PhaseCell::new();
        assert!(!cell.try_advance(Trigger::Stop), "there is no thread");
        assert_eq!(cell.get(), Phase::New);
        cell.advance(Trigger::Spawn);
        assert!(!cell.try_advance(Trigger::Stop), "its creator has not seen it up");
        cell.advance(Trigger::ThreadUp);
        assert!(cell.try_advance(Trigger::Stop));
        assert_eq!(cell.get(), Phase::Stopping);
        assert!(!cell.try_advance(Trigger::Stop), "a second time");
        assert_eq!(cell.get(), Phase::Stopping);
        for phase in PHASES {
            assert_eq!(phase.on(Trigger::Stop).is_some(), phase == Phase::Running, "{phase:?}");
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "Quit")]
    fn a_trigger_out_of_its_phase_is_found_by_tests() {
        PhaseCell::new().advance(Trigger::Quit);
    }

    #[test]
    fn each_phase_has_one_way_on_and_the_last_none() {
        for phase in PHASES {
            let next: std::vec::Vec<_> = TRIGGERS.iter().filter_map(|t| phase.on(*t)).collect();
            assert_eq!(next.len(), usize::from(phase != Phase::Ended), "{phase:?}");
            assert!(next.iter().all(|next| *next > phase), "{phase:?}");
        }
    }

    #[test]
    fn every_phase_survives_its_byte() {
        for phase in PHASES {
            assert_eq!(Phase::from_u8(phase as u8), phase);
        }
    }

    #[test]
    fn the_loop_ends_when_the_thread_has_seen_the_request() {
        let cell = PhaseCell::new();
        for (trigger, runs) in [
            (Trigger::Spawn, true),
            (Trigger::ThreadUp, true),
            (Trigger::Stop, true),
            (Trigger::Quit, false),
            (Trigger::Joined, false),
        ] {
            cell.advance(trigger);
            assert_eq!(cell.keeps_running(), runs, "{trigger:?}");
        }
    }
}
