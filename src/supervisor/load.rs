//! Loading a plugin: from a manifest and code to an actor that has been told to start.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Supervisor;
use super::code::{Code, CodeHash};
use super::home::Home;
use super::journal::Journal;
use super::message::{Call, Command};
use super::outbox::Names;
use super::plugin::{OnReady, Plugin, Subject};
use super::registry::{Actor, Loaded, binding, claims};
use super::start::Blueprint;
use super::status::Board;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::workerd::{Stream, sanitise_line};

/// Codes whose names are remembered; more than a site has plugins and updates. Forgetting costs a start.
const MAX_KNOWN_NAMES: usize = 256;

/// What `load` gives back.
#[derive(Debug)]
pub struct Load {
    pub plugin: u32,
    pub manifest: Manifest,
    /// What is known of this code already.
    pub names: Option<Arc<Names>>,
    /// The load of the same `id:version` that this one stands in for. It goes on serving until it is terminated, which is
    /// for the JavaScript half to do once this one serves, or has failed to.
    pub replaces: Option<u32>,
}

impl Supervisor {
    /// Registers a plugin and has its process started. The same manifest and code under the same `id:version` give the
    /// plugin that is loaded; anything else under it is to replace that one.
    ///
    /// # Errors
    /// When the manifest or the code can't be used.
    pub fn load(&self, manifest: &str, code: &[u16]) -> Result<Load, Error> {
        let manifest = Manifest::parse(manifest)?;
        let Code { text: code, hash } = Code::parse(code)?;
        let names = self.lock_names().get(&hash).cloned();

        let mut plugins = self.lock();
        let replaces = plugins.latest(&manifest);
        if let Some((plugin, _)) = replaces.filter(|(_, other)| other.is(&manifest, &hash)) {
            return Ok(Load {
                plugin,
                manifest,
                names,
                replaces: None,
            });
        }
        let replaces = replaces.map(|(number, _)| number);

        plugins.last_number += 1;
        let number = plugins.last_number;
        let board = Arc::new(Board::new(&manifest.id, &manifest.version));
        let label: Arc<str> = sanitise_line(manifest.id.as_bytes()).into();
        let journal = Journal::new(label, Arc::clone(&self.outbox));
        let subject = Subject {
            number,
            manifest: manifest.clone(),
            blueprint: Arc::new(self.blueprint(number, &manifest, journal.clone(), code)),
            journal,
            limits: self.limits.clone(),
            timing: self.timing.clone(),
            board: Arc::clone(&board),
            on_ready: self.on_ready(hash),
        };
        let (known, outbox) = (names.clone(), Arc::clone(&self.outbox));
        let home = Home::new(
            |commands| Plugin::new(subject, known, outbox, commands).run(),
            Arc::clone(&self.outbox),
            self.runtime,
        );
        home.send(Command::Call(Call::Start { request: None }));
        plugins.loaded.insert(
            number,
            Loaded {
                manifest: manifest.clone(),
                code: hash,
                actor: Actor {
                    home: Arc::new(home),
                    board,
                },
            },
        );
        Ok(Load {
            plugin: number,
            manifest,
            names,
            replaces,
        })
    }

    fn blueprint(&self, number: u32, manifest: &Manifest, journal: Journal, code: String) -> Blueprint {
        Blueprint {
            programs: Arc::clone(&self.programs),
            code: code.into(),
            binding: binding(manifest, &self.site, &self.limits),
            limits: self.limits.clone(),
            delegation: self.delegation.clone(),
            deadline: self.timing.start,
            starts: Arc::clone(&self.starts),
            load: number.into(),
            ear: self.ear.get().map(|ear| (Arc::clone(ear), number)),
            token: self.key.sign(&claims(manifest, number)),
            backing: Arc::clone(&self.backing),
            lines: Arc::new(move |stream: Stream, line: String| journal.output(stream, line)),
        }
    }

    fn on_ready(&self, code: CodeHash) -> OnReady {
        let (known, epoch) = (Arc::clone(&self.known_names), Arc::clone(&self.epoch));
        Box::new(move |names| {
            epoch.fetch_add(1, Ordering::Relaxed);
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() == MAX_KNOWN_NAMES {
                known.clear();
            }
            known.insert(code, Arc::clone(names));
        })
    }

    fn lock_names(&self) -> MutexGuard<'_, HashMap<CodeHash, Arc<Names>>> {
        self.known_names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
