//! What a call costs, in numbers that no other work on the machine changes: allocations, and bytes allocated for each
//! byte that is sent. The real supervisor, and a real workerd. Instructions are counted by `scripts/instructions.mjs`; what
//! it costs in time is `npm run bench`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod site;

use emdash_sandbox_native::workerd::Transport;

use self::site::Site;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CALLS: u64 = 400;

/// An event of this many bytes, in a frame or, as its size has it, over the lane for large ones.
const LARGE: usize = 500_000;
const TOO_LARGE_FOR_A_FRAME: usize = 4_000_000;

/// Blocks and bytes that were allocated for each of `count` calls.
fn cost(site: &mut Site, count: u64, event: &str) -> (u64, u64) {
    let payload = format!(r#"{{"event":"{event}"}}"#);
    // Buffers grow, and stay as they are.
    for _ in 0..20 {
        assert_eq!(site.call("size", &payload), Some(event.len().to_string()));
    }
    let before = dhat::HeapStats::get();
    for _ in 0..count {
        site.call("size", &payload);
    }
    let after = dhat::HeapStats::get();
    (
        (after.total_blocks - before.total_blocks) / count,
        (after.total_bytes - before.total_bytes) / count,
    )
}

/// Bytes that were allocated for each upload of a file of `size`.
fn cost_of_upload(site: &mut Site, size: u64) -> u64 {
    let payload = format!(r#"{{"event":{size}}}"#);
    let mut upload = || assert_eq!(site.call("upload", &payload).as_deref(), Some("true"));
    upload();
    let before = dhat::HeapStats::get().total_bytes;
    (0..10).for_each(|_| upload());
    (dhat::HeapStats::get().total_bytes - before) / 10
}

#[test]
fn a_call_takes_few_allocations_and_its_bytes_are_copied_few_times() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut site = Site::new(Transport::DEFAULT);

    let (blocks, bytes) = cost(&mut site, CALLS, "x");
    println!("a small call: {blocks} allocations, {bytes} bytes");
    assert!(blocks <= 12, "{blocks} allocations for a small call");
    assert!(bytes <= 1500, "{bytes} bytes for a small call");

    for (size, most) in [(LARGE, 2), (TOO_LARGE_FOR_A_FRAME, 2)] {
        let (blocks, bytes) = cost(&mut site, 20, &"x".repeat(size));
        let copies = bytes as usize / size;
        println!("a call of {size} bytes: {blocks} allocations, {copies} copies");
        assert!(
            copies <= most,
            "{copies} copies of {size} bytes, among them the caller's own"
        );
    }

    let bytes = cost_of_upload(&mut site, 5_000_000);
    println!("an upload of 5,000,000 bytes: {bytes} bytes");
    assert!(
        bytes < 5_100_000,
        "{bytes} bytes: the file is not put where it stays"
    );
}
