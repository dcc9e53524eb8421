//! What a call costs, in numbers that no other work on the machine changes: allocations, and bytes allocated for each
//! byte that is sent. The real supervisor, and a real workerd. What it costs in time is `npm run bench`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use emdash_sandbox_native::jail::{Jail, Kernel, Mode};
use emdash_sandbox_native::limits::{Given, Limits, Timing, Wanted};
use emdash_sandbox_native::supervisor::{Answer, Event, Kind, Options, Outbox, Supervisor};
use emdash_sandbox_native::workerd::{Programs, Transport};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CALLS: u64 = 400;

/// An event of this many bytes, in a frame or, as its size has it, over the lane for large ones.
const LARGE: usize = 500_000;
const TOO_LARGE_FOR_A_FRAME: usize = 4_000_000;

struct Site {
    supervisor: Supervisor,
    woken: mpsc::Receiver<()>,
    plugin: u32,
    requests: u64,
}

impl Site {
    fn new() -> Self {
        let target = std::env::current_exe().unwrap();
        let launcher = target.ancestors().nth(2).unwrap().join("emdash-sandbox-launcher");
        let programs = Programs {
            launcher: present(launcher, "cargo build --workspace"),
            workerd: present(workerd(), "npm install"),
            jail: Jail::new(Mode::Auto, &Kernel::probe(), false),
            transport: Transport::DEFAULT,
            environment: Vec::new(),
        };
        let limits = Wanted {
            // The allocator takes down where each allocation was made, which takes its time.
            cpu_ms: Some(Given {
                name: "cpuMs".into(),
                value: 60_000.0,
            }),
            ..Wanted::default()
        };
        let (wake, woken) = mpsc::channel();
        let options = Options {
            programs,
            limits: Limits::new(limits).unwrap(),
            timing: Timing::new(None, None).unwrap(),
            private_hosts: String::new(),
            site: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
        };
        let outbox = Outbox::new(move || {
            // The test has failed when nobody listens.
            let _ = wake.send(());
        });
        let supervisor = Supervisor::new(options, outbox).unwrap();
        let code = "export default { hooks: { size: (event) => event.length, \
            upload: async (size, ctx) => \
                ctx.media.upload(\"a.png\", \"image/png\", new Uint8Array(size).fill(7)) } };";
        let manifest = r#"{ "id": "counted", "version": "1.0.0", "capabilities": ["media:write"] }"#;
        let load = supervisor
            .load(manifest, &code.encode_utf16().collect::<Vec<_>>())
            .unwrap();
        Self {
            supervisor,
            woken,
            plugin: load.plugin,
            requests: 0,
        }
    }

    /// The answer to one hook, awaited.
    fn call(&mut self, payload: &str) -> Option<String> {
        self.invoke("size", payload)
    }

    fn invoke(&mut self, name: &str, payload: &str) -> Option<String> {
        self.requests += 1;
        let (request, name) = (self.requests, name.to_owned());
        self.supervisor
            .invoke(self.plugin, request, Kind::Hook, name, payload.to_owned());
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
                        // As the JavaScript half would, when the store has it.
                        Event::Call { call, upload, .. } => {
                            let stored = upload.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 7));
                            let value = Some(stored.to_string());
                            let answer = Answer { value, bytes: None };
                            self.supervisor.answer(self.plugin, call, Ok(answer));
                        }
                        _ => {}
                    }
                }
                if !more {
                    break;
                }
            }
        }
    }

    /// Blocks and bytes that were allocated for each of `count` calls.
    fn cost(&mut self, count: u64, event: &str) -> (u64, u64) {
        let payload = format!(r#"{{"event":"{event}"}}"#);
        // Buffers grow, and stay as they are.
        for _ in 0..20 {
            assert_eq!(self.call(&payload), Some(event.len().to_string()));
        }
        let before = dhat::HeapStats::get();
        for _ in 0..count {
            self.call(&payload);
        }
        let after = dhat::HeapStats::get();
        (
            (after.total_blocks - before.total_blocks) / count,
            (after.total_bytes - before.total_bytes) / count,
        )
    }

    /// Bytes that were allocated for each upload of a file of `size`.
    fn cost_of_upload(&mut self, size: u64) -> u64 {
        let payload = format!(r#"{{"event":{size}}}"#);
        let mut upload = || assert_eq!(self.invoke("upload", &payload).as_deref(), Some("true"));
        upload();
        let before = dhat::HeapStats::get().total_bytes;
        (0..10).for_each(|_| upload());
        (dhat::HeapStats::get().total_bytes - before) / 10
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

#[test]
fn a_call_takes_few_allocations_and_its_bytes_are_copied_few_times() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut site = Site::new();

    let (blocks, bytes) = site.cost(CALLS, "x");
    println!("a small call: {blocks} allocations, {bytes} bytes");
    assert!(blocks <= 12, "{blocks} allocations for a small call");
    assert!(bytes <= 1500, "{bytes} bytes for a small call");

    for (size, most) in [(LARGE, 2), (TOO_LARGE_FOR_A_FRAME, 2)] {
        let (blocks, bytes) = site.cost(20, &"x".repeat(size));
        let copies = bytes as usize / size;
        println!("a call of {size} bytes: {blocks} allocations, {copies} copies");
        assert!(
            copies <= most,
            "{copies} copies of {size} bytes, among them the caller's own"
        );
    }

    let bytes = site.cost_of_upload(5_000_000);
    println!("an upload of 5,000,000 bytes: {bytes} bytes");
    assert!(
        bytes < 5_100_000,
        "{bytes} bytes: the file is not put where it stays"
    );
}

fn workerd() -> PathBuf {
    let machine = if cfg!(target_arch = "x86_64") {
        "64"
    } else {
        "arm64"
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(
        "node_modules/@cloudflare/workerd-linux-{machine}/bin/workerd"
    ))
}

fn present(path: PathBuf, remedy: &str) -> PathBuf {
    assert!(path.exists(), "{} is not there: {remedy}", path.display());
    path
}
