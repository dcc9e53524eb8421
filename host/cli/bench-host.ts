/** The site that a plugin under test believes to be on: mail is shown instead of sent, files stay in memory. */
import type { Database, MediaStorage } from "../bridge/operation.js";
import type { RunnerOptions } from "../options.js";

export function benchHost(db: Database): RunnerOptions {
  return {
    db,
    siteInfo: { name: "Test bench", url: "http://localhost:4321", locale: "en" },
    mediaStorage: memoryStorage(),
    emailSend: async ({ to, subject, text }) => {
      console.info(`[mail, not sent] to ${to}: ${subject}\n${text}`);
    },
  };
}

function memoryStorage(): MediaStorage {
  const files = new Map<string, Uint8Array>();
  return {
    upload: async ({ key, body }) => void files.set(key, body.slice()),
    delete: async (key) => void files.delete(key),
    download: async (key) => {
      const bytes = files.get(key);
      if (bytes === undefined) throw new Error(`there is no file ${key}`);
      return { body: new Blob([bytes as Uint8Array<ArrayBuffer>]).stream() };
    },
  };
}
