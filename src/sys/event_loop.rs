//! Node's event loop, which watches one more descriptor: libuv's poll handle, found in the running program.
//!
//! What is declared here is part of libuv's stable interface. Where the program has no libuv there is no watch, and nothing
//! is lost by it but time.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// `UV_POLL` of `uv_handle_type`, and `UV_READABLE`.
const POLL_HANDLE: c_int = 8;
const READABLE: c_int = 1;

type Handle = *mut c_void;
type Loop = *mut c_void;
type OnEvent = unsafe extern "C" fn(Handle, c_int, c_int);
type OnClosed = unsafe extern "C" fn(Handle);

type HandleSize = unsafe extern "C" fn(c_int) -> usize;
type SetData = unsafe extern "C" fn(Handle, *mut c_void);
type GetData = unsafe extern "C" fn(Handle) -> *mut c_void;
type PollInit = unsafe extern "C" fn(Loop, Handle, RawFd) -> c_int;
type PollStart = unsafe extern "C" fn(Handle, c_int, OnEvent) -> c_int;
type Unref = unsafe extern "C" fn(Handle);
type Close = unsafe extern "C" fn(Handle, OnClosed);

#[derive(Clone, Copy)]
struct Libuv {
    handle_size: HandleSize,
    set_data: SetData,
    get_data: GetData,
    poll_init: PollInit,
    poll_start: PollStart,
    unref: Unref,
    close: Close,
}

/// Calls a function whenever a descriptor can be read, on the event loop's own thread, on which it is made and dropped: it
/// is not `Send`. It does not keep the loop alive.
pub(crate) struct LoopWatch(NonNull<c_void>);

/// What the loop needs until it has let go of the handle.
struct Watched {
    on_readable: Rc<dyn Fn()>,
    /// The handle's own memory.
    _memory: Box<[u64]>,
    _descriptor: Arc<dyn AsFd>,
}

impl LoopWatch {
    /// `None` where that can't be. The caller sees to it that `event_loop` is what Node-API gives in this very call of the
    /// addon: the loop of this thread, which Node ends after all that was made by the addon.
    pub(crate) fn start(
        event_loop: NonNull<c_void>,
        descriptor: Arc<dyn AsFd>,
        on_readable: impl Fn() + 'static,
    ) -> Option<Self> {
        let libuv = Libuv::find()?;
        let raw = descriptor.as_fd().as_raw_fd();
        // SAFETY: the loop is there, by what is asked of the caller. The handle has libuv's own size of it, in memory that is
        // aligned for pointers and stays where it is until `on_closed` is called, as the descriptor stays open.
        unsafe {
            let size = (libuv.handle_size)(POLL_HANDLE);
            let mut memory = vec![0_u64; size.div_ceil(size_of::<u64>())].into_boxed_slice();
            let handle = NonNull::new(memory.as_mut_ptr())?.cast();
            if (libuv.poll_init)(event_loop.as_ptr(), handle.as_ptr(), raw) != 0 {
                return None;
            }
            let watched = Box::new(Watched {
                on_readable: Rc::new(on_readable),
                _memory: memory,
                _descriptor: descriptor,
            });
            (libuv.set_data)(handle.as_ptr(), Box::into_raw(watched).cast());
            (libuv.unref)(handle.as_ptr());
            // From here on it is closed when it is dropped.
            let watch = Self(handle);
            ((libuv.poll_start)(handle.as_ptr(), READABLE, on_event) == 0).then_some(watch)
        }
    }
}

impl Drop for LoopWatch {
    fn drop(&mut self) {
        if let Some(libuv) = Libuv::find() {
            // SAFETY: a handle that was initialised is closed once, by its loop's thread.
            unsafe { (libuv.close)(self.0.as_ptr(), on_closed) }
        }
    }
}

/// Called by the loop, between two callbacks of JavaScript.
unsafe extern "C" fn on_event(handle: Handle, _: c_int, _: c_int) {
    if let Some(libuv) = Libuv::find() {
        // SAFETY: libuv calls it with a handle that is not closed, whose data has been set.
        let watched: &Watched = unsafe { &*(libuv.get_data)(handle).cast() };
        // The handle may be closed meanwhile, and even let go of: what is called may run the loop again.
        let on_readable = Rc::clone(&watched.on_readable);
        // There is nobody above who could be told of a panic.
        let _ = catch_unwind(AssertUnwindSafe(|| on_readable()));
    }
}

/// Called by the loop when it has let go of the handle.
unsafe extern "C" fn on_closed(handle: Handle) {
    if let Some(libuv) = Libuv::find() {
        // SAFETY: the last that is heard of it. Its data is the box that was made for it, with the handle's own memory.
        unsafe { drop(Box::from_raw((libuv.get_data)(handle).cast::<Watched>())) }
    }
}

impl Libuv {
    fn find() -> Option<Self> {
        static FOUND: OnceLock<Option<Libuv>> = OnceLock::new();
        *FOUND.get_or_init(Self::search)
    }

    fn search() -> Option<Self> {
        // SAFETY: each is the function of libuv of that name, which has had this type since version 1.19, of 2018.
        unsafe {
            Some(Self {
                handle_size: transmute::<*mut c_void, HandleSize>(symbol(c"uv_handle_size")?),
                set_data: transmute::<*mut c_void, SetData>(symbol(c"uv_handle_set_data")?),
                get_data: transmute::<*mut c_void, GetData>(symbol(c"uv_handle_get_data")?),
                poll_init: transmute::<*mut c_void, PollInit>(symbol(c"uv_poll_init")?),
                poll_start: transmute::<*mut c_void, PollStart>(symbol(c"uv_poll_start")?),
                unref: transmute::<*mut c_void, Unref>(symbol(c"uv_unref")?),
                close: transmute::<*mut c_void, Close>(symbol(c"uv_close")?),
            })
        }
    }
}

/// A function that the running program exports.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: it reads the name, which ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
