// SPDX-License-Identifier: GPL-2.0-or-later
//! Random traces of coming and going, against a list so plain that one sees that
//! it is right: every record is an entry of its own.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use proptest::prelude::*;
use qemu_iothread::model::holders::{Holders, NotOnRecord, Store};

/// A store of std's, as far from the list as can be. Asserts that it is used as
/// [`Store`] says.
#[derive(Default)]
struct Numbered {
    next: u64,
    number_of: HashMap<String, u64>,
    records: BTreeMap<u64, (String, NonZeroU32)>,
}

impl Store for Numbered {
    type Name<'a> = &'a str;
    type Slot = u64;

    fn find(&self, name: &str) -> Option<u64> {
        self.number_of.get(name).copied()
    }

    fn append(&mut self, name: &str) {
        self.next += 1;
        assert_eq!(self.number_of.insert(name.to_owned(), self.next), None, "{name} is there");
        self.records.insert(self.next, (name.to_owned(), NonZeroU32::MIN));
    }

    fn count(&self, slot: &u64) -> NonZeroU32 {
        self.records[slot].1
    }

    fn set_count(&mut self, slot: &u64, count: NonZeroU32) {
        self.records.get_mut(slot).expect("a slot in use").1 = count;
    }

    fn remove(&mut self, slot: u64) {
        let (name, _) = self.records.remove(&slot).expect("a slot in use");
        assert_eq!(self.number_of.remove(&name), Some(slot));
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn visit(&self, mut see: impl FnMut(&str, NonZeroU32)) {
        self.records.values().for_each(|(name, count)| see(name, *count));
    }
}

/// One entry for each record, oldest first.
#[derive(Default)]
struct NaiveList(Vec<String>);

impl NaiveList {
    fn add(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// Takes the newest record, so that the holder keeps its place.
    fn release(&mut self, name: &str) -> Result<(), NotOnRecord> {
        let newest = self.0.iter().rposition(|known| known == name).ok_or(NotOnRecord)?;
        self.0.remove(newest);
        Ok(())
    }

    fn shown(&self) -> Vec<(String, u32)> {
        let mut shown: Vec<(String, u32)> = Vec::new();
        for name in &self.0 {
            match shown.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => shown.push((name.clone(), 1)),
            }
        }
        shown
    }
}

fn shown(holders: &Holders<Numbered>) -> Vec<(String, u32)> {
    let mut list = Vec::new();
    holders.visit(|name, count| list.push((name.to_owned(), count.get())));
    list
}

#[derive(Debug, Clone)]
enum Step {
    Add(String),
    Release(String),
}

/// Few names, so that they meet again; the rest is any text.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::sample::select(vec!["a", "a ", "b", "/machine/peripheral/disk0"])
            .prop_map(str::to_owned),
        1 => "\\PC{1,8}",
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![3 => name().prop_map(Step::Add), 2 => name().prop_map(Step::Release)]
}

/// Miri runs this some hundred times slower, and lets nobody write files.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 8 } else { 512 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_trace_shows_what_the_list_shows(steps in prop::collection::vec(step(), 0..200)) {
        let mut holders = Holders::new(Numbered::default());
        let mut list = NaiveList::default();
        for step in steps {
            match step {
                Step::Add(name) => {
                    holders.add(&name);
                    list.add(&name);
                }
                Step::Release(name) => {
                    prop_assert_eq!(holders.release(&name), list.release(&name));
                }
            }
            prop_assert_eq!(shown(&holders), list.shown());
        }
    }

    #[test]
    fn as_many_releases_as_records_leave_nobody(names in prop::collection::vec(name(), 0..100)) {
        let mut holders = Holders::new(Numbered::default());
        names.iter().for_each(|name| holders.add(name));
        for name in &names {
            prop_assert_eq!(holders.release(name), Ok(()));
        }
        prop_assert_eq!(shown(&holders), []);
    }
}
