//! What holds of the jail, for `status()` and the log.

use napi_derive::napi;

use super::runner::thrown;
use crate::jail::{JailReport, Kernel, LayerReport, Mode};

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

/// What `EMDASH_SANDBOX_JAIL=<mode>` comes to on this machine. Throws when there is no such mode.
#[napi(catch_unwind)]
pub fn jail_report(mode: String) -> napi::Result<NativeJailReport> {
    let mode = Mode::parse(&mode).map_err(thrown)?;
    Ok(JailReport::new(mode, &Kernel::probe()).into())
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
