// SPDX-License-Identifier: GPL-2.0-or-later
//! Where an IOThread's holders are kept: a glib hash table over a glib queue, so
//! that each operation costs the same however many holders there are, and the
//! queue keeps the order.

use core::cell::Cell;
use core::ffi::{c_char, CStr};
use core::num::NonZeroU32;
use core::ptr;

use glib_sys as glib;

use crate::model::holders::Store;

/// One holder.
#[repr(C)]
struct Record {
    count: Cell<NonZeroU32>,
    name: *mut c_char,
}

/// A store in glib's memory; holds no memory while it is empty and new.
///
/// Invariant: each link of `in_order` has a record that we own, whose name we
/// own, and `by_name` maps exactly these names, borrowed, to their links. Without
/// a table the queue is empty.
pub struct Records {
    by_name: *mut glib::GHashTable,
    in_order: glib::GQueue,
}

/// The link of a record.
pub struct Slot(*mut glib::GList);

impl Records {
    /// An empty store.
    pub const fn new() -> Self {
        let (head, tail) = (ptr::null_mut(), ptr::null_mut());
        Self { by_name: ptr::null_mut(), in_order: glib::GQueue { head, tail, length: 0 } }
    }
}

impl Slot {
    fn record(&self) -> *mut Record {
        // SAFETY: invariant of Records; a slot is a link of in_order.
        unsafe { (*self.0).data.cast() }
    }
}

impl Store for Records {
    type Name = CStr;
    type Slot = Slot;

    fn find(&self, name: &CStr) -> Option<Slot> {
        if self.by_name.is_null() {
            return None;
        }
        // SAFETY: invariant of Records.
        let link = unsafe { glib::g_hash_table_lookup(self.by_name, name.as_ptr().cast()) };
        if link.is_null() {
            None
        } else {
            Some(Slot(link.cast()))
        }
    }

    fn append(&mut self, name: &CStr) {
        // SAFETY: invariant of Records, which this keeps: the new record is in
        // both. The table's keys and the record are C's to write, not shared.
        unsafe {
            if self.by_name.is_null() {
                self.by_name =
                    glib::g_hash_table_new(Some(glib::g_str_hash), Some(glib::g_str_equal));
            }
            let copy = glib::g_strdup(name.as_ptr());
            let record: *mut Record = glib::g_malloc(size_of::<Record>()).cast();
            record.write(Record { count: Cell::new(NonZeroU32::MIN), name: copy });
            glib::g_queue_push_tail(&mut self.in_order, record.cast());
            glib::g_hash_table_insert(self.by_name, copy.cast(), self.in_order.tail.cast());
        }
    }

    fn count(&self, slot: &Slot) -> NonZeroU32 {
        // SAFETY: invariant of Records.
        unsafe { (*slot.record()).count.get() }
    }

    fn set_count(&mut self, slot: &Slot, count: NonZeroU32) {
        // SAFETY: invariant of Records.
        unsafe { (*slot.record()).count.set(count) }
    }

    fn remove(&mut self, slot: Slot) {
        let record = slot.record();
        // SAFETY: invariant of Records, which this keeps: the record leaves both.
        unsafe {
            glib::g_hash_table_remove(self.by_name, (*record).name.cast());
            glib::g_queue_delete_link(&mut self.in_order, slot.0);
            glib::g_free((*record).name.cast());
            glib::g_free(record.cast());
        }
    }

    fn visit(&self, mut see: impl FnMut(&CStr, NonZeroU32)) {
        let mut link = self.in_order.head;
        while !link.is_null() {
            let record = Slot(link).record();
            // SAFETY: invariant of Records.
            unsafe {
                see(CStr::from_ptr((*record).name), (*record).count.get());
                link = (*link).next;
            }
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        if self.by_name.is_null() {
            return;
        }
        while !self.in_order.head.is_null() {
            self.remove(Slot(self.in_order.head));
        }
        // SAFETY: invariant of Records; the table owns neither keys nor values.
        unsafe { glib::g_hash_table_unref(self.by_name) }
    }
}
