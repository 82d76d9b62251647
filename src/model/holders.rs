// SPDX-License-Identifier: GPL-2.0-or-later
//! The rules of holding: who is on record, how often, in which order.
//!
//! A holder may register several times under one name; it is shown once and
//! needs as many releases. The order shown is first come, first shown: a holder
//! that left and comes back stands last.
//!
//! Where the records are kept is the [`Store`]'s business, so that QEMU's memory
//! comes from glib and the tests' from `std`. Callers serialise the calls.

use core::num::NonZeroU32;

/// An insertion-ordered map from a holder's name to the number of its records.
pub trait Store {
    /// A holder's name.
    type Name<'a>: Copy;
    /// Where one holder's record is kept; stays valid until it is removed.
    type Slot;

    /// The record of `name`, if there is one.
    fn find(&self, name: Self::Name<'_>) -> Option<Self::Slot>;
    /// Copies `name` into a new last record that counts one.
    fn append(&mut self, name: Self::Name<'_>);
    /// How often the holder at `slot` is on record.
    fn count(&self, slot: &Self::Slot) -> NonZeroU32;
    /// Makes the holder at `slot` be on record `count` times.
    fn set_count(&mut self, slot: &Self::Slot, count: NonZeroU32);
    /// Forgets the holder at `slot`.
    fn remove(&mut self, slot: Self::Slot);
    /// Whether there is no record.
    fn is_empty(&self) -> bool;
    /// Shows each holder once with its count, oldest first.
    fn visit(&self, see: impl FnMut(Self::Name<'_>, NonZeroU32));
}

/// A release of a name that is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOnRecord;

/// The holders of one IOThread.
#[derive(Debug, Default)]
pub struct Holders<S> {
    store: S,
}

impl<S: Store> Holders<S> {
    /// Nobody holds yet what `store`, which must be empty, is to record.
    pub const fn new(store: S) -> Self {
        Self { store }
    }

    /// Puts `name` on record, once more if it is there already.
    ///
    /// A record more than `u32::MAX` of one name is not counted: QOM's reference
    /// count, of which each record owns one, aborts long before.
    pub fn add(&mut self, name: S::Name<'_>) {
        match self.store.find(name) {
            Some(slot) => {
                let count = self.store.count(&slot).saturating_add(1);
                self.store.set_count(&slot, count);
            }
            None => self.store.append(name),
        }
    }

    /// Takes one record of `name` away.
    ///
    /// # Errors
    ///
    /// [`NotOnRecord`] if there is none; nothing has changed then.
    pub fn release(&mut self, name: S::Name<'_>) -> Result<(), NotOnRecord> {
        let slot = self.store.find(name).ok_or(NotOnRecord)?;
        let left = self.store.count(&slot).get().wrapping_sub(1);
        match NonZeroU32::new(left) {
            Some(left) => self.store.set_count(&slot, left),
            None => self.store.remove(slot),
        }
        Ok(())
    }

    /// Whether nobody is on record.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// Shows each holder once, with how often it is on record, oldest first.
    pub fn visit(&self, see: impl FnMut(S::Name<'_>, NonZeroU32)) {
        self.store.visit(see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::ToOwned;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    /// The plainest store there is.
    #[derive(Default)]
    struct Pairs(Vec<(String, NonZeroU32)>);

    impl Store for Pairs {
        type Name<'a> = &'a str;
        type Slot = usize;

        fn find(&self, name: &str) -> Option<usize> {
            self.0.iter().position(|(known, _)| known == name)
        }
        fn append(&mut self, name: &str) {
            self.0.push((name.to_owned(), NonZeroU32::MIN));
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
        fn visit(&self, mut see: impl FnMut(&str, NonZeroU32)) {
            self.0.iter().for_each(|(name, count)| see(name, *count));
        }
    }

    fn shown(holders: &Holders<Pairs>) -> Vec<(String, u32)> {
        let mut list = vec![];
        holders.visit(|name, count| list.push((name.to_owned(), count.get())));
        list
    }

    fn held_by(names: &[&str]) -> Holders<Pairs> {
        let mut holders = Holders::new(Pairs::default());
        names.iter().for_each(|name| holders.add(name));
        holders
    }

    #[test]
    fn shows_holders_first_come_first() {
        let holders = held_by(&["b", "a", "c"]);
        assert_eq!(shown(&holders), [("b".into(), 1), ("a".into(), 1), ("c".into(), 1)]);
    }

    #[test]
    fn a_name_added_twice_is_shown_once_and_released_twice() {
        let mut holders = held_by(&["a", "b", "a"]);
        assert_eq!(shown(&holders), [("a".into(), 2), ("b".into(), 1)]);
        assert_eq!(holders.release("a"), Ok(()));
        assert_eq!(shown(&holders), [("a".into(), 1), ("b".into(), 1)]);
        assert_eq!(holders.release("a"), Ok(()));
        assert_eq!(shown(&holders), [("b".into(), 1)]);
        assert!(!holders.is_empty());
        assert_eq!(holders.release("b"), Ok(()));
        assert!(holders.is_empty());
    }

    #[test]
    fn a_holder_that_comes_back_stands_last() {
        let mut holders = held_by(&["a", "b"]);
        assert_eq!(holders.release("a"), Ok(()));
        holders.add("a");
        assert_eq!(shown(&holders), [("b".into(), 1), ("a".into(), 1)]);
    }

    #[test]
    fn an_unknown_name_changes_nothing() {
        let mut holders = held_by(&["a"]);
        assert_eq!(holders.release("b"), Err(NotOnRecord));
        assert_eq!(shown(&holders), [("a".into(), 1)]);
        assert_eq!(holders.release("a"), Ok(()));
        assert_eq!(holders.release("a"), Err(NotOnRecord));
    }
}
