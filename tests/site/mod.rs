//! The Rust half as the JavaScript half uses it: a supervisor with one plugin in a real workerd, called one by one.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use emdash_sandbox_native::jail::{Jail, Kernel, Mode};
use emdash_sandbox_native::limits::{Given, Limits, Timing, Wanted};
use emdash_sandbox_native::supervisor::{Answer, Event, Kind, Options, Outbox, Supervisor};
use emdash_sandbox_native::workerd::{Programs, Transport};

const MANIFEST: &str = r#"{ "id": "counted", "version": "1.0.0", "capabilities": ["media:write"] }"#;

const PLUGIN: &str = r#"
export default {
    hooks: {
        size: (event) => event.length,
        read: (key, ctx) => ctx.kv.get(key),
        upload: (size, ctx) => ctx.media.upload("a.png", "image/png", new Uint8Array(size).fill(7)),
    },
};
"#;

/// What the store holds under every key.
const KEPT: &str = "1";

pub(crate) struct Site {
    supervisor: Supervisor,
    woken: mpsc::Receiver<()>,
    plugin: u32,
    requests: u64,
}

impl Site {
    pub(crate) fn new(transport: Transport) -> Self {
        let programs = Programs {
            launcher: launcher(),
            workerd: workerd(),
            jail: Jail::new(Mode::Auto, &Kernel::probe(), false),
            transport,
            environment: Vec::new(),
        };
        let limits = Wanted {
            // Whoever counts takes time for it, which the clocks of limits count too.
            cpu_ms: Some(given("cpuMs", 60_000.0)),
            wall_time_ms: Some(given("wallTimeMs", 300_000.0)),
            ..Wanted::default()
        };
        let (wake, woken) = mpsc::channel();
        let options = Options {
            programs,
            limits: Limits::new(limits).unwrap(),
            timing: Timing::new(Some(given("startTimeoutMs", 60_000.0)), None).unwrap(),
            private_hosts: String::new(),
            site: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
        };
        let outbox = Outbox::new(move || {
            // The test has failed when nobody listens.
            let _ = wake.send(());
        });
        let supervisor = Supervisor::new(options, outbox).unwrap();
        let code: Vec<_> = PLUGIN.encode_utf16().collect();
        let plugin = supervisor.load(MANIFEST, &code).unwrap().plugin;
        Self {
            supervisor,
            woken,
            plugin,
            requests: 0,
        }
    }

    /// The answer to one hook, awaited. `payload` is what the JavaScript half would make of the event.
    pub(crate) fn call(&mut self, hook: &str, payload: &str) -> Option<String> {
        self.requests += 1;
        let (request, name, payload) = (self.requests, hook.to_owned(), payload.to_owned());
        self.supervisor
            .invoke(self.plugin, request, Kind::Hook, name, payload);
        self.answer(request)
    }

    fn answer(&self, request: u64) -> Option<String> {
        loop {
            self.woken.recv().unwrap();
            loop {
                let (events, more) = self.supervisor.drain();
                for event in events {
                    match event {
                        Event::Done { request: done, value } if done == request => return value,
                        Event::Failed { error, .. } => panic!("the call failed: {error}"),
                        Event::Call { call, upload, .. } => self.carry_out(call, upload.as_deref()),
                        _ => {}
                    }
                }
                if !more {
                    break;
                }
            }
        }
    }

    /// As the JavaScript half would: what is uploaded is stored, and anything else is read from the store.
    fn carry_out(&self, call: u64, upload: Option<&[u8]>) {
        let value = match upload {
            Some(bytes) => bytes.iter().all(|byte| *byte == 7).to_string(),
            None => KEPT.to_owned(),
        };
        let answer = Answer {
            value: Some(value),
            bytes: None,
        };
        self.supervisor.answer(self.plugin, call, Ok(answer));
    }
}

impl Drop for Site {
    /// Its process has ended before the test has.
    fn drop(&mut self) {
        self.requests += 1;
        self.supervisor.terminate_all(self.requests, None);
        self.answer(self.requests);
    }
}

fn given(name: &str, value: f64) -> Given {
    Given {
        name: name.into(),
        value,
    }
}

fn launcher() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap();
    present(built.join("emdash-sandbox-launcher"), "cargo build --workspace")
}

fn workerd() -> PathBuf {
    let machine = if cfg!(target_arch = "x86_64") {
        "64"
    } else {
        "arm64"
    };
    let path = format!("node_modules/@cloudflare/workerd-linux-{machine}/bin/workerd");
    present(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), "npm install")
}

fn present(path: PathBuf, remedy: &str) -> PathBuf {
    assert!(path.exists(), "{} is not there: {remedy}", path.display());
    path
}
