//! The plugins that a runner has loaded, and what is made of a manifest for each: claims, and the guest's binding.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::runtime::Handle;

use super::authority::Authority;
use super::code::CodeHash;
use super::home::Home;
use super::message::Command;
use super::plugin::MAX_BY_VISITS;
use super::state::ENDED;
use super::status::{Board, PluginStatus};
use crate::limits::Limits;
use crate::manifest::{Capability, Manifest};
use crate::token::Claims;

#[derive(Default)]
pub(super) struct Plugins {
    pub(super) last_number: u32,
    pub(super) loaded: HashMap<u32, Loaded>,
    /// Unloaded ones whose calls in flight may still end: their operations are still answered.
    pub(super) draining: HashMap<u32, Actor>,
    /// Of host operations that are under way and will ask once more whether they may write.
    late_writes: HashMap<Within, Authority>,
}

pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) code: CodeHash,
    pub(super) actor: Actor,
}

/// The way to an actor, and to what it tells of itself.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) home: Arc<Home>,
    pub(super) board: Arc<Board>,
}

impl Actor {
    /// Whether it is there to hear it. For what is brief JavaScript's thread, which calls this, runs it itself.
    pub(super) fn tell(&self, runtime: &Handle, mut command: Command) -> bool {
        if command.is_brief() && self.board.has_at_most(MAX_BY_VISITS) {
            match self.home.visit(runtime, command) {
                Ok(()) => return true,
                Err(same) => command = same,
            }
        }
        self.home.send(command)
    }
}

/// A host operation, as it was told to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Within {
    pub plugin: u32,
    pub call: u64,
}

impl Plugins {
    /// What was loaded last under the identity of this manifest.
    pub(super) fn latest(&self, manifest: &Manifest) -> Option<(u32, &Loaded)> {
        let same = self
            .loaded
            .iter()
            .filter(|(_, other)| other.has_identity(manifest));
        same.max_by_key(|(number, _)| **number)
            .map(|(number, loaded)| (*number, loaded))
    }

    /// Of one that is loaded, or draining.
    pub(super) fn actor(&self, number: u32) -> Option<Actor> {
        let loaded = self.loaded.get(&number).map(|loaded| &loaded.actor);
        loaded.or_else(|| self.draining.get(&number)).cloned()
    }

    pub(super) fn unload(&mut self, number: u32, within: Option<Within>) {
        self.draining.retain(|_, actor| !actor.home.has_ended());
        let actor = match self.loaded.remove(&number) {
            Some(loaded) => self.draining.entry(number).or_insert(loaded.actor),
            None => match self.draining.get_mut(&number) {
                Some(actor) => actor,
                None => return,
            },
        };
        let within = within.filter(|within| within.plugin == number);
        // An actor that is gone has nothing to end.
        actor.home.send(Command::Terminate {
            within: within.map(|within| within.call),
        });
    }

    pub(super) fn unload_all(&mut self, within: Option<Within>) {
        let numbers: Vec<_> = self.loaded.keys().chain(self.draining.keys()).copied().collect();
        numbers.into_iter().for_each(|number| self.unload(number, within));
    }

    /// To be called when an operation begins that writes late.
    pub(super) fn begin_late_write(&mut self, call: Within, authority: Authority) {
        // One that never ends leaves its note, but not for longer than it may write.
        self.late_writes.retain(|_, authority| authority.holds());
        self.late_writes.insert(call, authority);
    }

    pub(super) fn end_late_write(&mut self, call: Within) {
        // For nearly all operations there is nothing to look for.
        if !self.late_writes.is_empty() {
            self.late_writes.remove(&call);
        }
    }

    pub(super) fn may_write(&self, call: Within) -> bool {
        self.late_writes.get(&call).is_some_and(Authority::holds)
    }

    pub(super) fn status(&self) -> Vec<PluginStatus> {
        let loaded = self
            .loaded
            .iter()
            .map(|(number, loaded)| (*number, &loaded.actor));
        let draining = self.draining.iter().map(|(number, actor)| (*number, actor));
        let mut actors: Vec<_> = loaded
            .chain(draining.filter(|(_, actor)| !actor.home.has_ended()))
            .collect();
        actors.sort_unstable_by_key(|(number, _)| *number);
        let statuses = actors.into_iter().map(|(_, actor)| actor.board.read());
        // One that has ended may be there for a moment, until its actor is gone.
        statuses.filter(|status| status.state != ENDED).collect()
    }
}

impl Loaded {
    pub(super) fn has_identity(&self, manifest: &Manifest) -> bool {
        self.manifest.id == manifest.id && self.manifest.version == manifest.version
    }

    pub(super) fn is(&self, manifest: &Manifest, code: &CodeHash) -> bool {
        self.manifest == *manifest && self.code == *code
    }
}

pub(super) fn claims(manifest: &Manifest, number: u32) -> Claims {
    Claims {
        plugin_id: manifest.id.clone(),
        version: manifest.version.clone(),
        capabilities: manifest.capabilities.names(),
        allowed_hosts: manifest.allowed_hosts.clone(),
        storage_collections: manifest.storage.keys().cloned().collect(),
        load: number.into(),
    }
}

/// What the guest is told of the plugin that it runs.
pub(crate) fn binding(manifest: &Manifest, site: &RawValue, limits: &Limits) -> String {
    let members = serde_json::json!({
        "users": manifest.capabilities.contains(Capability::UsersRead),
        "email": manifest.capabilities.contains(Capability::EmailSend),
    });
    let plugin = serde_json::json!({ "id": manifest.id, "version": manifest.version });
    let limits = serde_json::json!({
        "uploadBytes": limits.max_upload,
        "collectsByFrames": limits.collects_by_frames(),
        "collectsAfterBytes": limits.collects_after_bytes(),
    });
    format!(r#"{{"plugin":{plugin},"site":{site},"members":{members},"limits":{limits}}}"#)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::supervisor::authority::LoadAuthority;

    #[tokio::test(start_paused = true)]
    async fn who_writes_late_may_do_so_until_its_deadline_its_unload_or_its_answer() {
        let (mut plugins, load) = (Plugins::default(), LoadAuthority::default());
        let [short, long, answered] = [1, 2, 3].map(|call| Within { plugin: 7, call });
        let second = Duration::from_secs(1);
        plugins.begin_late_write(short, load.until(Instant::now() + second));
        for call in [long, answered] {
            plugins.begin_late_write(call, load.until(Instant::now() + 9 * second));
        }
        plugins.end_late_write(answered);
        assert_eq!(
            [short, long, answered].map(|call| plugins.may_write(call)),
            [true, true, false]
        );
        assert!(
            !plugins.may_write(Within { plugin: 8, call: 2 }),
            "another plugin's"
        );
        tokio::time::advance(second).await;
        assert_eq!([short, long].map(|call| plugins.may_write(call)), [false, true]);
        load.end();
        assert!(!plugins.may_write(long));
    }

    #[tokio::test(start_paused = true)]
    async fn operations_that_never_end_leave_nothing_for_ever() {
        let (mut plugins, load) = (Plugins::default(), LoadAuthority::default());
        for call in 0..1000 {
            plugins.begin_late_write(
                Within { plugin: 1, call },
                load.until(Instant::now() + Duration::from_millis(10)),
            );
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(plugins.late_writes.len() <= 11);
    }
}
