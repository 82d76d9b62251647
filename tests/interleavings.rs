// SPDX-License-Identifier: GPL-2.0-or-later
//! Every interleaving of the threads that share a phase or a list of holders,
//! by loom. Built only for it:
//! `RUSTFLAGS="--cfg loom" cargo test --release --test interleavings`.
#![cfg(loom)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at what it did not expect"
)]

use std::collections::VecDeque;
use std::num::NonZeroU32;

use loom::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use qemu_iothread::model::holders::{Holders, NotOnRecord, Store};
use qemu_iothread::model::phase::{Phase, PhaseCell, Trigger};

const THREAD_ID: i32 = 42;

/// Work for the event loop: its bottom halves.
enum BottomHalf {
    Work,
    Quit,
}

/// What the creator, the IOThread and whoever stops it share. The phase is the
/// real one; the semaphore and the AioContext are loom's nearest.
struct Shared {
    phase: PhaseCell,
    thread_id: AtomicI32,
    up: (Mutex<bool>, Condvar),
    scheduled: (Mutex<VecDeque<BottomHalf>>, Condvar),
    done: AtomicUsize,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            phase: PhaseCell::new(),
            thread_id: AtomicI32::new(-1),
            up: (Mutex::new(false), Condvar::new()),
            scheduled: (Mutex::new(VecDeque::new()), Condvar::new()),
            done: AtomicUsize::new(0),
        })
    }

    /// A trigger that is due, whatever the threads did before.
    fn advance(&self, trigger: Trigger) {
        let phase = self.phase.get();
        assert!(phase.on(trigger).is_some(), "{trigger:?} of an IOThread that is {phase:?}");
        self.phase.advance(trigger);
    }

    /// As `Worker::spawn`.
    fn start(this: &Arc<Self>) -> thread::JoinHandle<()> {
        this.advance(Trigger::Spawn);
        let shared = Arc::clone(this);
        let thread = thread::spawn(move || shared.run());
        let (up, changed) = &this.up;
        let mut up = up.lock().unwrap();
        while !*up {
            up = changed.wait(up).unwrap();
        }
        thread
    }

    /// As `thread::run`.
    fn run(&self) {
        self.thread_id.store(THREAD_ID, Ordering::Relaxed);
        self.advance(Trigger::ThreadUp);
        *self.up.0.lock().unwrap() = true;
        self.up.1.notify_one();
        while self.phase.keeps_running() {
            self.poll();
        }
        assert_eq!(self.phase.get(), Phase::Leaving);
        let left = self.scheduled.0.lock().unwrap().len();
        assert_eq!(left, 0, "the loop ended with a bottom half pending");
    }

    fn poll(&self) {
        let (scheduled, changed) = &self.scheduled;
        let mut scheduled = scheduled.lock().unwrap();
        while scheduled.is_empty() {
            scheduled = changed.wait(scheduled).unwrap();
        }
        let batch: Vec<_> = scheduled.drain(..).collect();
        drop(scheduled);
        for bottom_half in batch {
            match bottom_half {
                BottomHalf::Work => {
                    self.done.fetch_add(1, Ordering::Relaxed);
                }
                BottomHalf::Quit => self.advance(Trigger::Quit),
            }
        }
    }

    fn schedule(&self, bottom_half: BottomHalf) {
        self.scheduled.0.lock().unwrap().push_back(bottom_half);
        self.scheduled.1.notify_one();
    }

    /// As `Worker::stop`; says whether there was anything to stop.
    fn stop(&self, thread: thread::JoinHandle<()>) -> bool {
        if !self.phase.try_advance(Trigger::Stop) {
            return false;
        }
        self.schedule(BottomHalf::Quit);
        thread.join().unwrap();
        self.advance(Trigger::Joined);
        true
    }

    /// As `Worker::thread_id`.
    fn seen_thread_id(&self) -> i32 {
        self.thread_id.load(Ordering::Relaxed)
    }
}

#[test]
fn a_started_thread_has_told_its_id_and_a_stopped_one_has_done_its_work() {
    loom::model(|| {
        let shared = Shared::new();
        let thread = Shared::start(&shared);
        assert_eq!(shared.phase.get(), Phase::Running);
        assert_eq!(shared.seen_thread_id(), THREAD_ID);
        shared.schedule(BottomHalf::Work);
        assert!(shared.stop(thread));
        assert_eq!(shared.phase.get(), Phase::Ended);
        assert_eq!(shared.done.load(Ordering::Relaxed), 1);
        assert_eq!(shared.seen_thread_id(), THREAD_ID);
        assert!(!shared.phase.try_advance(Trigger::Stop), "a second stop means nothing");
    });
}

/// The onlooker waits for nobody.
#[test]
fn an_onlooker_sees_no_id_or_the_right_one() {
    loom::model(|| {
        let shared = Shared::new();
        let onlooker = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let id = shared.seen_thread_id();
                assert!(id == -1 || id == THREAD_ID, "{id}");
            })
        };
        let thread = Shared::start(&shared);
        onlooker.join().unwrap();
        assert!(shared.stop(thread));
    });
}

/// Whoever creates an IOThread need not be who stops it.
#[test]
fn another_thread_may_stop_it_while_bottom_halves_come_in() {
    loom::model(|| {
        let shared = Shared::new();
        let thread = Shared::start(&shared);
        let stopper = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.schedule(BottomHalf::Work);
                shared.stop(thread)
            })
        };
        assert!(stopper.join().unwrap());
        assert_eq!(shared.phase.get(), Phase::Ended);
        assert_eq!(shared.done.load(Ordering::Relaxed), 1);
    });
}

/// One entry a holder.
#[derive(Default)]
struct Pairs(Vec<(&'static str, NonZeroU32)>);

impl Store for Pairs {
    type Name<'a> = &'static str;
    type Slot = usize;

    fn find(&self, name: &'static str) -> Option<usize> {
        self.0.iter().position(|(known, _)| *known == name)
    }
    fn append(&mut self, name: &'static str) {
        self.0.push((name, NonZeroU32::MIN));
    }
    fn count(&self, slot: &usize) -> NonZeroU32 {
        self.0[*slot].1
    }
    fn set_count(&mut self, slot: &usize, count: NonZeroU32) {
        self.0[*slot].1 = count;
    }
    fn remove(&mut self, slot: usize) {
        self.0.remove(slot);
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    fn visit(&self, mut see: impl FnMut(&'static str, NonZeroU32)) {
        self.0.iter().for_each(|(name, count)| see(name, *count));
    }
}

fn count_of(holders: &Holders<Pairs>, wanted: &str) -> u32 {
    let mut found = 0;
    holders.visit(|name, count| {
        if name == wanted {
            found += count.get();
        }
    });
    found
}

#[test]
fn two_threads_hold_under_a_name_of_their_own_and_one_in_common() {
    loom::model(|| {
        let holders = Arc::new(Mutex::new(Holders::new(Pairs::default())));
        let threads = ["left", "right"].map(|own| {
            let holders = Arc::clone(&holders);
            thread::spawn(move || {
                holders.lock().unwrap().add("both");
                holders.lock().unwrap().add(own);
                {
                    let holders = holders.lock().unwrap();
                    assert_eq!(count_of(&holders, own), 1);
                    assert!((1..=2).contains(&count_of(&holders, "both")));
                }
                assert_eq!(holders.lock().unwrap().release("both"), Ok(()));
                assert_eq!(holders.lock().unwrap().release(own), Ok(()));
                assert_eq!(holders.lock().unwrap().release(own), Err(NotOnRecord));
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        holders.lock().unwrap().visit(|name, _| panic!("{name} is still on record"));
    });
}
