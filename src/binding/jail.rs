//! What holds of the jail, for `status()` and the log.

use napi_derive::napi;

use super::runner::thrown;
use crate::jail::{Jail, JailReport, Kernel, LayerReport, Mode};
use crate::workerd::Transport;

/// What the jail around each plugin's process consists of on this machine. Asking changes nothing.
#[derive(Debug)]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct NativeJailReport {
    /// `auto`, `require` or `off`.
    pub mode: String,
    /// Every layer: `limits`, `capabilities`, `files`, `network`, `scope`, `calls`.
    pub layers: Vec<NativeJailLayer>,
    /// The layers that do not hold and why, as one fragment; `null` when all of them hold.
    pub missing: Option<String>,
    /// The version of the kernel's Landlock, whatever the mode; `null` when it has none.
    pub landlock_abi: Option<u32>,
    /// Whether the kernel has seccomp, whatever the mode.
    pub has_seccomp: bool,
}

#[derive(Debug)]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct NativeJailLayer {
    pub name: String,
    /// Whether it holds whole.
    pub enforced: bool,
    /// Why it does not, with the remedy; `null` when it does.
    pub reason: Option<String>,
}

/// What `EMDASH_SANDBOX_JAIL=<mode>` comes to on this machine, with that `EMDASH_SANDBOX_TRANSPORT`. Throws when there is no
/// such mode or transport.
#[napi(catch_unwind)]
pub fn jail_report(mode: String, transport: Option<String>) -> napi::Result<NativeJailReport> {
    let mode = Mode::parse(&mode).map_err(thrown)?;
    let transport = transport
        .as_deref()
        .map_or(Ok(Transport::DEFAULT), Transport::parse);
    Ok(jail(mode, transport.map_err(thrown)?, false).report().into())
}

/// What is put around processes that are started that way.
pub(super) fn jail(mode: Mode, transport: Transport, is_strict: bool) -> Jail {
    match transport {
        Transport::Tcp if cfg!(target_os = "linux") => Jail::without(mode, &Kernel::probe(), ON_TCP),
        _ => Jail::new(mode, &Kernel::probe(), is_strict),
    }
}

const ON_TCP: &str = "EMDASH_SANDBOX_TRANSPORT is tcp, which starts plugins as systems without a jail do";

/// By what plugins and the host reach each other.
#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeTransportReport {
    /// `unix` or `tcp`.
    pub name: String,
    /// What does not hold with it that holds on Linux by default; each is a fragment. The jail has its own report.
    pub gaps: Vec<String>,
}

/// What `EMDASH_SANDBOX_TRANSPORT=<name>` comes to on this system. Throws when there is no such transport.
#[napi(catch_unwind)]
pub fn transport_report(name: String) -> napi::Result<NativeTransportReport> {
    let transport = Transport::parse(&name).map_err(thrown)?;
    Ok(NativeTransportReport {
        name: transport.name().to_owned(),
        gaps: transport.gaps().iter().map(|gap| (*gap).to_owned()).collect(),
    })
}

impl From<JailReport> for NativeJailReport {
    fn from(report: JailReport) -> Self {
        Self {
            mode: report.mode.name().to_owned(),
            missing: report.missing(),
            landlock_abi: report.landlock_abi,
            has_seccomp: report.has_seccomp,
            layers: report.layers.into_iter().map(NativeJailLayer::from).collect(),
        }
    }
}

impl From<LayerReport> for NativeJailLayer {
    fn from(LayerReport { layer, obstacle }: LayerReport) -> Self {
        Self {
            name: layer.name().to_owned(),
            enforced: obstacle.is_none(),
            reason: obstacle,
        }
    }
}
