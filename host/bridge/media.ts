/** `ctx.media`. The bytes of a file do not come with a call's arguments, but beside them, as they are. */
import { monotonicFactory } from "ulidx";
import { HiddenError, PublicError } from "./database-errors.js";
import {
  assertMayWrite,
  type Database,
  type Host,
  type MayWrite,
  type MediaStorage,
  operation,
} from "./operation.js";
import { startsWith } from "./prefix.js";
import { prepared } from "./prepared.js";

/** Of any status: a plugin that uploaded a file may ask for it at once. */
export const get = operation<[id: string]>(async ({ db }, _plugin, [id]) => {
  const row = await mediaRows(db).where("id", "=", id).executeTakeFirst();
  return row === undefined ? "null" : JSON.stringify(itemOf(row));
});

/** Newest first, and only what is ready to be shown. */
export const list = operation<[mimeType: string | null, limit: string, cursor: string | null]>(
  async ({ db }, _plugin, [mimeType, limitText, cursor]) => {
    const limit = Number(limitText);
    let query = mediaRows(db)
      .where("status", "=", "ready")
      .orderBy("id", "desc")
      .limit(limit + 1);
    if (mimeType !== null) query = query.where((row) => startsWith(db, row, "mime_type", mimeType));
    if (cursor !== null) query = query.where("id", "<", cursor);

    const rows = await query.execute();
    const items = rows.slice(0, limit).map(itemOf);
    const hasMore = rows.length > limit;
    return JSON.stringify({ items, cursor: hasMore ? items.at(-1)?.id : undefined, hasMore });
  },
);

/** The row first: a file without a row is litter, a row without its file is a broken picture. */
export const remove = operation<[id: string]>(async (host, _plugin, [id]) => {
  const row = await host.db
    .deleteFrom("media")
    .where("id", "=", id)
    .returning("storage_key as key")
    .executeTakeFirst();
  if (row === undefined) return "false";
  if (host.mediaStorage) {
    await removeFile(host, host.mediaStorage, row.key, "was deleted from the library");
  }
  return "true";
});

/** `bytes` says where they come from, which Rust has seen to. */
export const upload = operation<[filename: string, contentType: string, bytes: string]>(
  async (host, _plugin, [filename, contentType], bytes, mayWrite) => {
    if (bytes === null) throw new PublicError("the bytes of this upload are not there");
    return await storeUpload(host, { filename, contentType, bytes }, mayWrite);
  },
);

export interface Upload {
  filename: string;
  contentType: string;
  bytes: Uint8Array;
}

/** `media/upload`: the answer as JSON text. */
export async function storeUpload(
  host: Host,
  { filename, contentType, bytes }: Upload,
  mayWrite: MayWrite,
): Promise<string> {
  const storage = host.mediaStorage;
  if (storage === null) {
    throw new PublicError("Media storage is not configured. Cannot upload files without a storage adapter.");
  }
  if (!UPLOADABLE.test(contentType)) {
    throw new PublicError(
      `Unsupported content type: ${contentType}. Allowed: image/*, video/*, audio/*, application/pdf`,
    );
  }
  const id = ulid();
  const key = id + extensionOf(filename);
  try {
    await storage.upload({ key, body: bytes, contentType });
  } catch (error) {
    // A store's words may hold its host, its bucket or a path.
    throw new HiddenError("The file could not be stored", error);
  }
  try {
    assertMayWrite(mayWrite);
    await insertMediaRow(host.db, { id, filename, contentType, key, size: bytes.byteLength });
  } catch (error) {
    await removeFile(host, storage, key, "got no row in the database");
    throw error;
  }
  return JSON.stringify({ mediaId: id, storageKey: key, url: urlOf(key) });
}

export async function insertMediaRow(
  db: Database,
  file: { id: string; filename: string; contentType: string; key: string; size: number },
): Promise<void> {
  await insert(db, { ...file, now: new Date().toISOString() });
}

const insert = prepared(
  (db, file: { id: string; filename: string; contentType: string; key: string; size: number; now: string }) =>
    db.insertInto("media").values({
      id: file.id,
      filename: file.filename,
      mime_type: file.contentType,
      size: file.size,
      storage_key: file.key,
      status: "ready",
      created_at: file.now,
    }),
);

/** Only what is ready; no more than `maxBytes` are ever held. */
export const readBytes = operation<[id: string, maxBytes: string]>(async (host, _plugin, [id, limit]) => {
  const open = host.mediaStorage?.download?.bind(host.mediaStorage);
  if (open === undefined) {
    throw new PublicError(
      "media.readBytes needs an EmDash newer than 0.34: the installed one does not give plugins a file's bytes",
    );
  }
  const maxBytes = Number(limit);
  const row = await host.db
    .selectFrom("media")
    .where("id", "=", id)
    .where("status", "=", "ready")
    .selectAll()
    .executeTakeFirst();
  if (row === undefined) throw new PublicError(`Media not found or not ready: ${id}`);
  const tooLarge = () => new PublicError(`Media ${id} is larger than ${maxBytes} bytes`);
  if (row.size !== null && row.size > maxBytes) throw tooLarge();
  const bytes = await download(() => open(row.storage_key), row.size ?? 0, maxBytes, tooLarge);
  const value = JSON.stringify({
    filename: row.filename,
    mimeType: row.mime_type,
    size: bytes.byteLength,
    contentHash: row.content_hash ?? undefined,
  });
  return { value, bytes };
});

async function download(
  open: () => Promise<{ body: ReadableStream<Uint8Array> }>,
  said: number,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Uint8Array> {
  try {
    const { body } = await open();
    return await collect(body, said, maxBytes, tooLarge);
  } catch (error) {
    if (error instanceof PublicError) throw error;
    // A store's words may hold its host, its bucket or a path.
    throw new HiddenError("The file could not be read", error);
  }
}

/** Whole, since what a plugin gets is a `Uint8Array`. Of a file that is as long as its row says, no byte is held twice. */
async function collect(
  body: ReadableStream<Uint8Array>,
  said: number,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Uint8Array> {
  let all = Buffer.allocUnsafeSlow(Math.min(said, maxBytes));
  let size = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of body) {
    if (size + chunk.byteLength > maxBytes) throw tooLarge();
    if (size + chunk.byteLength > all.length) {
      const longer = Buffer.allocUnsafeSlow(Math.min(maxBytes, 2 * (size + chunk.byteLength)));
      all.copy(longer, 0, 0, size);
      all = longer;
    }
    all.set(chunk, size);
    size += chunk.byteLength;
  }
  return all.subarray(0, size);
}

async function removeFile(host: Host, storage: MediaStorage, key: string, what: string): Promise<void> {
  try {
    await storage.delete(key);
  } catch (error) {
    host.warn(`the file ${key} ${what} and could not be removed from the media storage: ${error}`);
  }
}

function mediaRows(db: Database) {
  return db.selectFrom("media").select(["id", "filename", "mime_type", "size", "storage_key", "created_at"]);
}

function itemOf(row: {
  id: string;
  filename: string;
  mime_type: string;
  size: number | null;
  storage_key: string;
  created_at: string;
}) {
  return {
    id: row.id,
    filename: row.filename,
    mimeType: row.mime_type,
    size: row.size,
    url: urlOf(row.storage_key),
    createdAt: row.created_at,
  };
}

function urlOf(key: string): string {
  return `/_emdash/api/media/file/${key}`;
}

/** It becomes a header when the file is served, so nothing but a media type may pass. */
const UPLOADABLE = /^(?:(?:image|video|audio)\/[\w.+-]+|application\/pdf)(?:\s*;[\x20-\x7e]*)?$/;

/** Of the name's last part, and only when it is one that no file system or URL can misread. */
function extensionOf(filename: string): string {
  const base = filename.split(/[/\\]/).at(-1) ?? "";
  return /\.[a-z0-9]{1,10}$/i.exec(base)?.[0] ?? "";
}

const ulid = monotonicFactory();
