//! Which processes may speak to the backing server, and where what they say goes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Caller;
use crate::channel::Delivery;
use crate::egress::Egress;
use crate::token::Key;

#[derive(Debug)]
pub(super) struct Admissions {
    key: Key,
    egress: Arc<Egress>,
    /// By load: a load has one process that serves at a time.
    admitted: Mutex<HashMap<u64, Admitted>>,
}

#[derive(Debug)]
struct Admitted {
    pid: u32,
    delivery: Delivery,
}

/// One process's right to speak. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Admission {
    admissions: Arc<Admissions>,
    load: u64,
    pid: u32,
}

impl Admissions {
    pub(super) fn new(key: Key, egress: Arc<Egress>) -> Self {
        Self {
            key,
            egress,
            admitted: Mutex::default(),
        }
    }

    pub(super) fn egress(&self) -> &Egress {
        &self.egress
    }

    pub(super) fn admit(this: &Arc<Self>, load: u64, pid: u32, delivery: Delivery) -> Admission {
        this.lock().insert(load, Admitted { pid, delivery });
        Admission {
            admissions: Arc::clone(this),
            load,
            pid,
        }
    }

    /// The load of whoever shows this token from its process, and where its frames go; `None` for anybody else.
    pub(super) fn find(&self, token: &str, caller: Caller) -> Option<(u64, Delivery)> {
        let claims = self.key.verify(token)?;
        let admitted = self.lock();
        admitted
            .get(&claims.load)
            .filter(|admitted| caller.may_be(admitted.pid))
            .map(|admitted| (claims.load, admitted.delivery.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Admitted>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut admitted = self.admissions.lock();
        // The load's next process may be admitted before this one is dropped.
        if admitted
            .get(&self.load)
            .is_some_and(|admitted| admitted.pid == self.pid)
        {
            admitted.remove(&self.load);
        }
    }
}
