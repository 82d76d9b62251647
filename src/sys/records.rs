// SPDX-License-Identifier: GPL-2.0-or-later
//! Where an IOThread's holders are kept: a glib hash table over a glib queue, so
//! that each operation costs the same however many holders there are, and the
//! queue keeps the order.

use core::cell::Cell;
use core::ffi::{c_char, CStr};
use core::marker::PhantomData;
use core::num::NonZeroU32;

use glib_sys as glib;

use crate::model::holders::Store;

/// A holder's name: a C string whose length nobody had to count.
///
/// Invariant: the pointer is to a C string that stays as it is for `'a`.
#[derive(Clone, Copy)]
pub struct Name<'a>(*const c_char, PhantomData<&'a CStr>);

impl Name<'_> {
    /// Borrows a C string.
    ///
    /// # Safety
    ///
    /// `name` is a C string that stays as it is while it is borrowed.
    pub unsafe fn from_ptr(name: *const c_char) -> Self {
        Self(name, PhantomData)
    }

    /// The C string.
    pub fn as_ptr(self) -> *const c_char {
        self.0
    }
}

/// One holder: a link of the queue, whose data is the name.
#[repr(C)]
struct Record {
    link: glib::GList,
    count: Cell<NonZeroU32>,
}

/// A store in glib's memory; takes none while it was never used, and then is all
/// zeroes.
///
/// Invariant: `by_name` owns each record and its name, and maps the one to the
/// other; `in_order` links exactly these records. Without a table the queue is
/// empty.
pub struct Records {
    by_name: *mut glib::GHashTable,
    in_order: glib::GQueue,
}

/// A record.
///
/// Invariant: it is in the store that found it, from [`Store::find`] to
/// [`Store::remove`], which takes the slot; who asks for one does not remove the
/// record by another.
pub struct Slot(*mut Record);

impl Store for Records {
    type Name<'a> = Name<'a>;
    type Slot = Slot;

    // Inlined: both who call it look at the outcome at once.
    #[inline(always)]
    fn find(&self, name: Name<'_>) -> Option<Slot> {
        if self.by_name.is_null() {
            return None;
        }
        // SAFETY: invariant of Records.
        let record = unsafe { glib::g_hash_table_lookup(self.by_name, name.as_ptr().cast()) };
        if record.is_null() {
            None
        } else {
            Some(Slot(record.cast()))
        }
    }

    fn append(&mut self, name: Name<'_>) {
        // SAFETY: invariant of Records, which this keeps: the new record is in
        // both.
        unsafe {
            if self.by_name.is_null() {
                let (hash, equal) = (Some(glib::g_str_hash as _), Some(glib::g_str_equal as _));
                let free = Some(glib::g_free as _);
                self.by_name = glib::g_hash_table_new_full(hash, equal, free, free);
            }
            let name = glib::g_strdup(name.as_ptr()).cast();
            let record: *mut Record = glib::g_malloc0(size_of::<Record>()).cast();
            (*record).link.data = name;
            (&raw mut (*record).count).write(Cell::new(NonZeroU32::MIN));
            glib::g_queue_push_tail_link(&mut self.in_order, record.cast());
            glib::g_hash_table_insert(self.by_name, name, record.cast());
        }
    }

    fn count(&self, slot: &Slot) -> NonZeroU32 {
        // SAFETY: invariant of Slot.
        unsafe { (*slot.0).count.get() }
    }

    fn set_count(&mut self, slot: &Slot, count: NonZeroU32) {
        // SAFETY: invariant of Slot.
        unsafe { (*slot.0).count.set(count) }
    }

    fn remove(&mut self, slot: Slot) {
        // SAFETY: invariants of Slot and of Records, which this keeps: the record leaves the
        // queue, and the table frees it with its name.
        unsafe {
            glib::g_queue_unlink(&mut self.in_order, slot.0.cast());
            glib::g_hash_table_remove(self.by_name, (*slot.0).link.data);
        }
    }

    fn is_empty(&self) -> bool {
        self.in_order.length == 0
    }

    fn visit(&self, mut see: impl FnMut(Name<'_>, NonZeroU32)) {
        let mut link = self.in_order.head;
        while !link.is_null() {
            let record: *const Record = link.cast();
            // SAFETY: invariant of Records.
            unsafe {
                see(Name::from_ptr((*link).data.cast()), (*record).count.get());
                link = (*link).next;
            }
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        if !self.by_name.is_null() {
            // SAFETY: invariant of Records; the queue goes with its links.
            unsafe { glib::g_hash_table_unref(self.by_name) }
        }
    }
}
