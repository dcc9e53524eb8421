//! A function of JavaScript that is called out of no request's context: `AsyncLocalStorage` has no store in it, whoever made
//! the function, and what is put there is nobody else's.
//!
//! Node's event loop calls it itself. A threadsafe function would write to a descriptor, have the loop wait again, and read
//! it: three system calls.

use std::ptr::{null, null_mut};

use napi::bindgen_prelude::Function;
use napi::sys::{self, Status, napi_env, napi_ref, napi_value};
use napi::{Env, JsValue};

/// To be called and dropped on the thread of its environment, and while that stands: it is not `Send`.
pub(crate) struct Callback {
    env: napi_env,
    function: napi_ref,
}

impl Callback {
    /// `None` where Node refuses.
    pub(crate) fn new(env: &Env, function: &Function<'_, (), ()>) -> Option<Self> {
        let (env, mut reference) = (env.raw(), null_mut());
        // SAFETY: both are of the call of the addon that this is made in.
        let status = unsafe { sys::napi_create_reference(env, function.raw(), 1, &mut reference) };
        is_ok(status).then_some(Self {
            env,
            function: reference,
        })
    }

    /// Calls it and, where nothing of JavaScript's runs, what has been promised meanwhile. False when that could not be, or not
    /// to its end: what it throws is told to the process, as all that nobody catches.
    pub(crate) fn call(&self) -> bool {
        let mut scope = null_mut();
        // SAFETY: the environment stands, by what is asked of the caller; values are of the scope that is opened here.
        unsafe {
            if !is_ok(sys::napi_open_handle_scope(self.env, &mut scope)) {
                return false;
            }
            let called = self.call_within();
            sys::napi_close_handle_scope(self.env, scope);
            called
        }
    }

    /// # Safety
    /// A scope of handles must be open, in an environment that stands.
    unsafe fn call_within(&self) -> bool {
        let (mut function, mut context): (napi_value, napi_value) = (null_mut(), null_mut());
        // SAFETY: as asked for. The reference is deleted when this is dropped, and not before.
        unsafe {
            let is_there = is_ok(sys::napi_get_reference_value(
                self.env,
                self.function,
                &mut function,
            )) && is_ok(sys::napi_create_object(self.env, &mut context));
            if !is_there || function.is_null() {
                return false;
            }
            let no_parent = null_mut();
            // Without a parent, what it is called on is the resource whose stores are in force: a new object has none.
            let status =
                sys::napi_make_callback(self.env, no_parent, context, function, 0, null(), null_mut());
            if status == Status::napi_pending_exception {
                let mut thrown = null_mut();
                if is_ok(sys::napi_get_and_clear_last_exception(self.env, &mut thrown)) {
                    sys::napi_fatal_exception(self.env, thrown);
                }
            }
            is_ok(status)
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        // SAFETY: it was made once, in this environment, which stands by what is asked of whoever drops it.
        unsafe { sys::napi_delete_reference(self.env, self.function) };
    }
}

fn is_ok(status: i32) -> bool {
    status == Status::napi_ok
}
