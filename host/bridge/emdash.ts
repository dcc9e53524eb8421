/**
 * EmDash's own classes, imported when first needed. A built EmDash server has EmDash inside its bundle, so this loads a
 * second copy: half a second and 30 MB, which a site whose plugins never query storage should not pay.
 */
import { PublicError } from "./database-errors.js";

type EmDash = typeof import("emdash");
type PluginStorageRepository = EmDash["PluginStorageRepository"];

let repository: PluginStorageRepository | undefined;

export async function pluginStorageRepository(): Promise<PluginStorageRepository> {
  repository ??= storageRepositoryOf(await import("emdash"));
  return repository;
}

/** @throws PublicError when this EmDash does not export the class. */
export function storageRepositoryOf(emdash: Partial<EmDash>): PluginStorageRepository {
  if (typeof emdash.PluginStorageRepository !== "function") {
    throw new PublicError(
      "storage queries need EmDash 0.32.0 or newer: the installed one does not export PluginStorageRepository",
    );
  }
  return emdash.PluginStorageRepository;
}
