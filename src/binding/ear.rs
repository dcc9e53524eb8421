//! Where JavaScript's thread listens to plugins: Node's event loop.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use napi::Env;

use crate::supervisor::Supervisor;
use crate::sys::{Callback, LoopWatch};
use crate::workerd::Ear;

/// While it is there, JavaScript's thread listens.
pub(super) struct Listening {
    _watch: LoopWatch,
    /// The loop may let go of the watch when JavaScript's environment is gone; this goes with the runner.
    _wake: Rc<Callback>,
}

/// Has JavaScript's thread hear what plugins say, where that can be, and calls `wake` for what it is to drain then.
pub(super) fn listen(supervisor: &Arc<Supervisor>, env: &Env, wake: Rc<Callback>) -> Option<Listening> {
    let event_loop = NonNull::new(env.get_uv_event_loop().ok()?)?;
    let ear = Arc::new(Ear::new().ok()?);
    let descriptor: Arc<dyn AsFd> = Arc::<Ear>::clone(&ear);
    let (hears, drains) = (Arc::downgrade(supervisor), Rc::downgrade(&wake));
    let watch = LoopWatch::start(event_loop.cast(), descriptor, move || {
        let (Some(supervisor), Some(wake)) = (hears.upgrade(), drains.upgrade()) else {
            return;
        };
        if supervisor.hear() && !wake.call() {
            supervisor.wake();
        }
    })?;
    supervisor.listen(ear);
    Some(Listening {
        _watch: watch,
        _wake: wake,
    })
}
