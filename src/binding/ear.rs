//! Where JavaScript's thread listens to plugins: Node's event loop.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::Arc;

use napi::Env;

use crate::supervisor::Supervisor;
use crate::sys::LoopWatch;
use crate::workerd::Ear;

/// Has JavaScript's thread hear what plugins say, where that can be.
pub(super) fn listen(supervisor: &Arc<Supervisor>, env: &Env) -> Option<LoopWatch> {
    let event_loop = NonNull::new(env.get_uv_event_loop().ok()?)?;
    let ear = Arc::new(Ear::new().ok()?);
    let descriptor: Arc<dyn AsFd> = Arc::<Ear>::clone(&ear);
    let hears = Arc::downgrade(supervisor);
    let watch = LoopWatch::start(event_loop.cast(), descriptor, move || {
        if let Some(supervisor) = hears.upgrade() {
            supervisor.hear();
        }
    })?;
    supervisor.listen(ear);
    Some(watch)
}
