// SPDX-License-Identifier: GPL-2.0-or-later
//! The thread of an IOThread: start, event loop, stop.
//!
//! Threads: the main thread starts, stops and disposes (under the BQL where
//! there is one), or another in its place while nobody else does; [`run`] and
//! [`quit`] run in the IOThread. Nothing here takes a lock.

use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use glib_sys as glib;

use crate::model::phase::{PhaseCell, Trigger};
use crate::sys::aio::AioContext;
use crate::sys::bindings::{self as qemu, Errp};
use crate::sys::glib::{GString, MainContext, MainLoop};
#[cfg(qemu_traces)]
use crate::sys::trace;

/// The thread's name, and where the IOThread's id begins in it: at the `%s`.
const NAME: &CStr = c"IO %s";
const ID_AT: usize = NAME.count_bytes().saturating_sub(2);

/// The event loop of one IOThread and the thread that runs it.
///
/// Invariant: initialised in place by [`Self::init`], and not moved since. While
/// `ctx` is not null, all pointers are ours and valid; only the main thread changes
/// them, and not while the thread runs. Whoever disposes of it has joined the
/// thread.
///
/// What the event loop reads comes first, for short code.
#[repr(C)]
pub struct Worker {
    ctx: AtomicPtr<qemu::AioContext>,
    main_context: AtomicPtr<glib::GMainContext>,
    main_loop: AtomicPtr<glib::GMainLoop>,
    thread_name: AtomicPtr<c_char>,
    phase: PhaseCell,
    wants_main_context: AtomicBool,
    thread_id: AtomicI32,
    thread: UnsafeCell<qemu::QemuThread>,
    up: UnsafeCell<qemu::QemuSemaphore>,
}

impl Worker {
    /// Initialises the worker at `this`.
    ///
    /// # Safety
    ///
    /// `this` is zeroed memory that nobody else knows and that stays there. Zeroes
    /// are a `New` phase, null pointers and nothing asked for.
    pub unsafe fn init(this: *mut Self) {
        // SAFETY: the caller's word.
        unsafe {
            (*this).thread_id.store(-1, Ordering::Relaxed);
            qemu::qemu_sem_init(UnsafeCell::raw_get(ptr::addr_of!((*this).up)), 0);
        }
    }

    /// The AioContext, borrowed; null unless the IOThread was completed.
    pub fn ctx(&self) -> *mut qemu::AioContext {
        self.ctx.load(Ordering::Relaxed)
    }

    /// The host's id of the thread, or -1 before there is one.
    pub fn thread_id(&self) -> c_int {
        self.thread_id.load(Ordering::Relaxed)
    }

    /// The id that the IOThread had when it was completed, though it may have lost
    /// its parent since. For messages.
    pub fn id(&self) -> *const c_char {
        if self.ctx().is_null() {
            return c"(not started)".as_ptr();
        }
        // SAFETY: invariant of Worker; the string was made from NAME.
        unsafe { self.thread_name.load(Ordering::Relaxed).add(ID_AT) }
    }

    /// Makes the thread run its main context from now on, and lends it.
    ///
    /// # Safety
    ///
    /// There is an event loop.
    pub unsafe fn run_main_context(&self) -> *mut glib::GMainContext {
        self.wants_main_context.store(true, Ordering::SeqCst);
        // SAFETY: invariant of Worker; the caller's word.
        unsafe { qemu::aio_notify(self.ctx()) }
        self.main_context.load(Ordering::Relaxed)
    }

    /// Makes the event loop, lets `configure` set it up, and starts the thread;
    /// returns the AioContext when the thread is up. On failure returns null, nothing
    /// is left behind, and `errp` has the reason, QEMU's or `configure`'s.
    ///
    /// # Safety
    ///
    /// `id` is null or a C string, `errp` what a caller of QEMU's may pass as one.
    pub unsafe fn start(
        &self,
        id: *const c_char,
        errp: Errp,
        configure: impl FnOnce(*mut qemu::AioContext) -> bool,
    ) -> *mut qemu::AioContext {
        // SAFETY: the caller's word.
        let Some(ctx) = (unsafe { AioContext::new(errp) }) else {
            return null_mut();
        };
        let raw = ctx.as_ptr();
        // SAFETY: the caller's word.
        unsafe { self.make_loop(ctx, id) };
        if !configure(raw) {
            // SAFETY: make_loop() has made it.
            unsafe { self.give_back() };
            return null_mut();
        }
        self.spawn();
        raw
    }

    /// # Safety
    ///
    /// `id` is null or a C string.
    unsafe fn make_loop(&self, ctx: AioContext, id: *const c_char) {
        let context = MainContext::new();
        // SAFETY: the caller's word, and constants.
        let (name, source_name) = unsafe {
            let name = GString::format(NAME, id);
            let source_name = GString::format(c"%s aio-context", name.as_ptr());
            (name, source_name)
        };
        self.thread_name.store(name.into_raw(), Ordering::Relaxed);
        // SAFETY: nobody else has had ctx.
        unsafe { ctx.attach_to(&context, &source_name) };
        self.main_loop.store(context.new_loop().into_raw(), Ordering::Relaxed);
        self.main_context.store(context.into_raw(), Ordering::Relaxed);
        self.ctx.store(ctx.into_raw(), Ordering::Relaxed);
    }

    /// The new thread inherits the CPU affinity of the caller, who waits for it.
    fn spawn(&self) {
        self.phase.advance(Trigger::Spawn);
        let (thread, name) = (self.thread.get(), self.thread_name.load(Ordering::Relaxed));
        let joinable = qemu::QEMU_THREAD_JOINABLE as c_int;
        // SAFETY: invariant of Worker: it stays where it is, and outlives the
        // thread.
        unsafe {
            #[cfg(qemu_traces)]
            trace::start(self.id());
            qemu::qemu_thread_create(thread, name, Some(run), self.as_opaque(), joinable);
            qemu::qemu_sem_wait(self.up.get());
        }
    }

    /// Stops the thread and waits for its end; does nothing if it does not run.
    ///
    /// # Safety
    ///
    /// Called in the main thread, or in another that is not this one while nobody
    /// else stops it.
    pub unsafe fn stop(&self) {
        if !self.phase.try_advance(Trigger::Stop) {
            return;
        }
        let name = c"iothread_stop_bh".as_ptr();
        // SAFETY: invariant of Worker; the thread still polls ctx, so the bottom
        // half will run.
        unsafe {
            #[cfg(qemu_traces)]
            trace::stop(self.id());
            qemu::aio_bh_schedule_oneshot_full(self.ctx(), Some(quit), self.as_opaque(), name);
            qemu::qemu_thread_join(self.thread.get());
        }
        self.phase.advance(Trigger::Joined);
    }

    /// Ends the worker, which has given back its event loop.
    ///
    /// # Safety
    ///
    /// Nobody uses the worker afterwards.
    pub unsafe fn dispose(&self) {
        // SAFETY: invariant of Worker; nobody waits any more.
        unsafe { qemu::qemu_sem_destroy(self.up.get()) }
    }

    /// Gives back what make_loop() made: the AioContext before the main context that
    /// its source is attached to.
    ///
    /// # Safety
    ///
    /// There is an event loop, and no thread runs it.
    pub unsafe fn give_back(&self) {
        let ctx = self.ctx();
        self.ctx.store(null_mut(), Ordering::Relaxed);
        // SAFETY: invariant of Worker; without ctx nobody uses the others.
        unsafe {
            drop(AioContext::from_raw(ctx));
            drop(MainContext::from_raw(self.main_context.load(Ordering::Relaxed)));
            drop(MainLoop::from_raw(self.main_loop.load(Ordering::Relaxed)));
            drop(GString::from_raw(self.thread_name.load(Ordering::Relaxed)));
        }
    }

    fn as_opaque(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }
}

/// What the thread does.
///
/// # Safety
///
/// `opaque` is a worker that outlives the thread.
unsafe extern "C" fn run(opaque: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's word; a worker's fields are atomics and cells.
    let worker = unsafe { &*opaque.cast::<Worker>() };
    let ctx = worker.ctx();
    let main_context = worker.main_context.load(Ordering::Relaxed);
    let main_loop = worker.main_loop.load(Ordering::Relaxed);
    // SAFETY: invariant of Worker: what spawn() published stays until the thread
    // is joined. The default main context is set before anything here uses glib.
    unsafe {
        qemu::rcu_register_thread();
        glib::g_main_context_push_thread_default(main_context);
        qemu::qemu_set_current_aio_context(ctx);
        worker.thread_id.store(qemu::qemu_get_thread_id(), Ordering::Relaxed);
        worker.phase.advance(Trigger::ThreadUp);
        qemu::qemu_sem_post(worker.up.get());

        while worker.phase.keeps_running() {
            // The main loop would serve the AioContext as well, but slower; it
            // runs only once somebody asked for the main context.
            qemu::aio_poll(ctx, true);
            if worker.phase.keeps_running() && worker.wants_main_context.load(Ordering::SeqCst) {
                glib::g_main_loop_run(main_loop);
            }
        }

        glib::g_main_context_pop_thread_default(main_context);
        qemu::rcu_unregister_thread();
    }
    null_mut()
}

/// The request to stop, as a bottom half of the IOThread.
///
/// # Safety
///
/// `opaque` is the worker whose thread runs this.
unsafe extern "C" fn quit(opaque: *mut c_void) {
    // SAFETY: the caller's word.
    let worker = unsafe { &*opaque.cast::<Worker>() };
    worker.phase.advance(Trigger::Quit);
    // SAFETY: invariant of Worker.
    unsafe { glib::g_main_loop_quit(worker.main_loop.load(Ordering::Relaxed)) }
}
