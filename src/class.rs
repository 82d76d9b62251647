// SPDX-License-Identifier: GPL-2.0-or-later
//! The QOM class `iothread`: instance, properties, creation and lookup.
//!
//! Everything here runs in the main thread, under the BQL where there is one.

use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_char, c_void, CStr};
use core::ptr::{self, null, null_mut};

use crate::model::holders::Holders;
use crate::model::params::{in_range, Param, PollParams, NOT_IN_RANGE, PARAMS, POLL_MAX_NS};
use crate::registry;
use crate::sys::aio;
use crate::sys::bindings::{self as qemu, ClassData, Errp};
use crate::sys::object;
use crate::sys::qthread::Mutex;
use crate::sys::records::Records;
use crate::thread::Worker;

/// QOM's name of the class.
pub const TYPE_IOTHREAD: &CStr = c"iothread";

/// An instance of the class; opaque to C.
///
/// Invariant: QOM made it, by [`instance_init`], and it stays where it is until
/// [`instance_finalize`]. C writes the parent's part only. Whoever has a pointer
/// to one from C has a live one: each function of the C API asks for that.
#[repr(C)]
pub struct IOThread {
    parent: UnsafeCell<qemu::EventLoopBase>,
    params: PollParams,
    worker: Worker,
    holders: Mutex<Holders<Records>>,
}

impl IOThread {
    /// How it polls.
    pub fn params(&self) -> &PollParams {
        &self.params
    }

    /// Its event loop.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Who holds it.
    pub fn holders(&self) -> &Mutex<Holders<Records>> {
        &self.holders
    }

    /// Its parent class's part, which C writes as well.
    pub fn base(&self) -> *mut qemu::EventLoopBase {
        self.parent.get()
    }

    /// The QOM object that it is.
    pub fn object(&self) -> *mut qemu::Object {
        self.base().cast()
    }

    /// Gives all parameters to `ctx` and says whether QEMU took them; the first that
    /// it refuses ends it, with the reason in `errp`.
    ///
    /// # Safety
    ///
    /// `ctx` is live, `errp` what a caller of QEMU's may pass as one.
    unsafe fn configure(&self, ctx: *mut qemu::AioContext, errp: Errp) -> bool {
        let mut error = null_mut();
        // SAFETY: the caller's word; invariant of IOThread. No error is passed on
        // as none.
        unsafe {
            aio::set_poll_params(ctx, &self.params, &mut error);
            if error.is_null() {
                aio::set_base_params(ctx, self.base(), &mut error);
            }
            qemu::error_propagate(errp, error);
        }
        error.is_null()
    }
}

/// The class, as the C glue hands it to QOM when that takes in all types.
#[no_mangle]
pub static qemu_iothread_type_info: TypeInfo = TypeInfo(qemu::TypeInfo {
    name: TYPE_IOTHREAD.as_ptr(),
    parent: c"event-loop-base".as_ptr(),
    instance_size: size_of::<IOThread>(),
    instance_align: 0,
    instance_init: Some(instance_init),
    instance_post_init: None,
    instance_finalize: Some(instance_finalize),
    abstract_: false,
    class_size: 0,
    class_init: Some(class_init),
    class_base_init: None,
    class_data: null_mut(),
    interfaces: null_mut(),
});

/// A description of a class that never changes.
#[repr(transparent)]
pub struct TypeInfo(qemu::TypeInfo);

// SAFETY: nobody writes it, and it points to nothing but constants.
unsafe impl Sync for TypeInfo {}

unsafe extern "C" fn class_init(class: *mut qemu::ObjectClass, _data: ClassData) {
    let base: *mut qemu::EventLoopBaseClass = class.cast();
    // SAFETY: QOM gives a class of ours to initialise, which begins with its
    // parent's. PARAMS is static, and only read.
    unsafe {
        (*base).init = Some(complete);
        (*base).update_params = Some(update_params);
        #[cfg(qemu_refuses_object_del)]
        {
            (*base).can_be_deleted = Some(can_be_deleted);
        }
        for param in &PARAMS {
            let opaque = ptr::from_ref(param).cast_mut().cast();
            let (name, int) = (param.name.as_ptr(), c"int".as_ptr());
            let (get, set) = (Some(get_param as _), Some(set_param as _));
            qemu::object_class_property_add(class, name, int, get, set, None, opaque);
        }
    }
}

unsafe extern "C" fn instance_init(object: *mut qemu::Object) {
    let this: *mut IOThread = object.cast();
    // SAFETY: QOM gives zeroed memory of instance_size bytes that only the parent
    // class has touched. Zeroes are valid parameters, and holders without a record.
    unsafe {
        (*this).params().max_ns.set(POLL_MAX_NS);
        Worker::init(ptr::addr_of_mut!((*this).worker));
        Mutex::init(ptr::addr_of_mut!((*this).holders));
    }
}

unsafe extern "C" fn instance_finalize(object: *mut qemu::Object) {
    let this: *mut IOThread = object.cast();
    // SAFETY: invariant of IOThread; the last reference is gone, so that nobody
    // but its own thread knows it, and that one ends here.
    unsafe {
        let worker = (*this).worker();
        worker.stop();
        let ctx = worker.ctx();
        if !ctx.is_null() {
            registry::leave(ctx);
            worker.give_back();
        }
        worker.dispose();
        ptr::drop_in_place(ptr::addr_of_mut!((*this).holders));
    }
}

/// Completes the object: makes the event loop and starts the thread.
unsafe extern "C" fn complete(base: *mut qemu::EventLoopBase, errp: Errp) {
    let this: *mut IOThread = base.cast();
    // SAFETY: invariant of IOThread. An object without a parent has no id.
    unsafe {
        let iothread = &*this;
        let id = object::id(base.cast());
        let ctx = iothread.worker.start(id, errp, |ctx| iothread.configure(ctx, errp));
        if !ctx.is_null() {
            registry::enter(ctx, this);
        }
    }
}

/// A parameter of the parent class has changed.
unsafe extern "C" fn update_params(base: *mut qemu::EventLoopBase, errp: Errp) {
    // SAFETY: invariant of IOThread.
    unsafe {
        let iothread = &*base.cast::<IOThread>();
        let ctx = iothread.worker.ctx();
        if !ctx.is_null() {
            iothread.configure(ctx, errp);
        }
    }
}

/// Whether `object-del` may take it from those who use it.
#[cfg(qemu_refuses_object_del)]
unsafe extern "C" fn can_be_deleted(base: *mut qemu::EventLoopBase) -> bool {
    // SAFETY: invariant of IOThread.
    let iothread = unsafe { &*base.cast::<IOThread>() };
    iothread.holders().lock(|holders| holders.is_empty())
}

/// Where `params` has the value of `param`.
fn value_of<'a>(param: &Param, params: &'a PollParams) -> &'a Cell<i64> {
    // SAFETY: invariant of Param; all values are of one type.
    unsafe { &*ptr::from_ref(params).byte_add(param.offset()).cast() }
}

unsafe extern "C" fn get_param(
    object: *mut qemu::Object,
    visitor: *mut qemu::Visitor,
    name: *const c_char,
    opaque: *mut c_void,
    errp: Errp,
) {
    // SAFETY: invariant of IOThread; opaque is what class_init() registered.
    unsafe {
        let (params, param) = ((*object.cast::<IOThread>()).params(), &*opaque.cast::<Param>());
        qemu::visit_type_int64(visitor, name, value_of(param, params).as_ptr(), errp);
    }
}

unsafe extern "C" fn set_param(
    object: *mut qemu::Object,
    visitor: *mut qemu::Visitor,
    name: *const c_char,
    opaque: *mut c_void,
    errp: Errp,
) {
    // SAFETY: invariant of IOThread; opaque is what class_init() registered.
    unsafe {
        let (iothread, param) = (&*object.cast::<IOThread>(), &*opaque.cast::<Param>());
        let mut value = 0;
        if !qemu::visit_type_int64(visitor, name, &mut value, errp) {
            return;
        }
        if !in_range(value) {
            let (text, name) = (NOT_IN_RANGE.as_ptr(), param.name.as_ptr());
            let (file, function) = (c"src/class.rs".as_ptr(), c"iothread_set_param".as_ptr());
            qemu::error_setg_internal(errp, file, line!() as i32, function, text, name);
            return;
        }
        value_of(param, iothread.params()).set(value);
        let ctx = iothread.worker.ctx();
        if !ctx.is_null() {
            aio::set_poll_params(ctx, iothread.params(), errp);
        }
    }
}

/// Makes an IOThread that users do not see, owned by its parent.
///
/// # Safety
///
/// `id` is a C string, `errp` what a caller of QEMU's may pass as one.
pub unsafe fn create_internal(id: *const c_char, errp: Errp) -> *mut IOThread {
    // SAFETY: the caller's word; the list of properties ends at once.
    unsafe {
        let root = qemu::object_get_internal_root();
        let end = null::<c_char>();
        qemu::object_new_with_props(TYPE_IOTHREAD.as_ptr(), root, id, errp, end).cast()
    }
}

/// Finds an IOThread by its path or the end of it, borrowed; null if there is
/// none or more than one.
///
/// # Safety
///
/// `id` is a C string.
pub unsafe fn find_by_path(id: *const c_char) -> *mut IOThread {
    // SAFETY: the caller's word; QOM accepts a null for "ambiguous".
    unsafe { qemu::object_resolve_path_type(id, TYPE_IOTHREAD.as_ptr(), null_mut()).cast() }
}
