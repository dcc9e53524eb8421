//! The plugins that a runner has loaded, and what is made of a manifest for each: claims, and the guest's binding.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::CodeHash;
use super::message::Command;
use crate::limits::Limits;
use crate::manifest::{Capability, Manifest};
use crate::token::Claims;

#[derive(Default)]
pub(super) struct Plugins {
    pub(super) last_number: u32,
    pub(super) loaded: HashMap<u32, Loaded>,
    /// Unloaded ones whose calls in flight may still end: their operations are still answered.
    pub(super) draining: HashMap<u32, Commands>,
}

pub(super) type Commands = mpsc::UnboundedSender<Command>;

pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) code: CodeHash,
    pub(super) commands: Commands,
}

impl Plugins {
    pub(super) fn unload(&mut self, number: u32) {
        self.draining.retain(|_, actor| !actor.is_closed());
        if let Some(Loaded { commands, .. }) = self.loaded.remove(&number) {
            // An actor that is gone has nothing to end.
            let _ = commands.send(Command::Terminate);
            self.draining.insert(number, commands);
        }
    }

    pub(super) fn unload_all(&mut self) {
        let numbers: Vec<_> = self.loaded.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.unload(number));
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
    let limits = serde_json::json!({ "uploadBytes": limits.max_upload });
    format!(r#"{{"plugin":{plugin},"site":{site},"members":{members},"limits":{limits}}}"#)
}
