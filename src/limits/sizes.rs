//! How large single things may be: what a plugin stores, says and is asked, and its code. The same for every plugin.

/// Of a key of `ctx.kv` or an id of `ctx.storage` that is written, in UTF-8. PostgreSQL takes no row of an index past 2704
/// bytes, and this one holds the plugin's id and the collection's name as well. What another runner has stored under a
/// longer one can be read and deleted.
pub(crate) const MAX_KEY_BYTES: usize = 1024;

/// Of a value of `ctx.kv` or a document of `ctx.storage`, as JSON in UTF-8. SQLite and PostgreSQL would take a hundred
/// times as much, but a list of a hundred would end the host with the plugin.
pub(crate) const MAX_VALUE_BYTES: usize = 8 * MIB;

/// The same on Cloudflare: of a row of D1, which the value is most of.
pub(crate) const CLOUDFLARE_VALUE_BYTES: usize = 2_000_000;

/// Levels of arrays and objects in each other, in a plugin's answer, the arguments of its calls and the events that it
/// is sent. SQLite's JSON functions fail past 1000, and with one such document every query of its collection; V8 and
/// PostgreSQL bear some thousands.
pub(crate) const MAX_DEPTH: usize = 1000;

/// Values that an answer, or the arguments of a call, may hold. JavaScript builds an object of fifty bytes or more from
/// each two of text: without this bound, 64 MB of them would end the host with the plugin.
pub(crate) const MAX_VALUES: usize = 500_000;

/// Of a plugin's code, in UTF-8. Cloudflare takes as much of a worker, compressed. A heap must hold it, with what V8 makes
/// of it, beside the plugin's own data; EmDash's own plugins have some ten kilobytes.
pub(crate) const MAX_CODE_BYTES: usize = 10 * MIB;

pub(crate) const MIB: usize = 1024 * 1024;

/// As error texts name it: in the largest unit that needs no fraction.
pub(crate) fn size_text(bytes: usize) -> String {
    match bytes {
        _ if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ if bytes.is_multiple_of(1_000_000) => format!("{} MB", bytes / 1_000_000),
        _ => format!("{bytes} bytes"),
    }
}
