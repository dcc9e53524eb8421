/**
 * EmDash's own code, imported when first needed. A built EmDash server has EmDash inside its bundle, so this loads a
 * second copy: most of a second and 50 MB. What the installed version is known to lack is therefore not looked for.
 */
import type { ContentItem, I18nConfig } from "emdash";
import { installedVersion } from "../installed-version.js";
import type { Database } from "./operation.js";

/** The exports of `emdash` that are used when they are there. */
export interface EmDashExports {
  ContentRepository?: new (db: Database) => { updateDraftAware?: UpdateDraftAware };
  resolveContentCreateLocale?: (locale: unknown, config: I18nConfig | null) => string;
  invalidateCollectionCache?: (collection: string) => void;
}

/** Writes to a live row, or stages a draft in a collection that keeps revisions. EmDash 0.34 and newer. */
export type UpdateDraftAware = (
  collection: string,
  id: string,
  input: { data: Record<string, unknown>; status?: string; slug?: string | null },
) => Promise<Pick<ContentItem, "id" | "type" | "data" | "createdAt" | "updatedAt" | "locale">>;

export class EmDash {
  readonly #version: string | null;
  readonly #load: () => Promise<EmDashExports>;

  /** `version` is the one that `load` loads, or null when nobody can tell. */
  constructor(version: string | null, load: () => Promise<EmDashExports>) {
    this.#version = version;
    this.#load = load;
  }

  static installed(): EmDash {
    return new EmDash(
      installedVersion("emdash"),
      async () => (await import("emdash")) as unknown as EmDashExports,
    );
  }

  async updateDraftAware(db: Database): Promise<UpdateDraftAware | undefined> {
    if (this.#isOlderThan("0.34.0")) return undefined;
    const { ContentRepository } = await this.#load();
    if (typeof ContentRepository?.prototype?.updateDraftAware !== "function") return undefined;
    const repository = new ContentRepository(db);
    return (...args) => (repository.updateDraftAware as UpdateDraftAware)(...args);
  }

  async resolveContentCreateLocale(): Promise<EmDashExports["resolveContentCreateLocale"]> {
    if (this.#isOlderThan("0.34.0")) return undefined;
    return asFunction((await this.#load()).resolveContentCreateLocale);
  }

  async invalidateCollectionCache(): Promise<EmDashExports["invalidateCollectionCache"]> {
    return asFunction((await this.#load()).invalidateCollectionCache);
  }

  #isOlderThan(version: string): boolean {
    return this.#version !== null && ordinal(this.#version) < ordinal(version);
  }
}

function asFunction<F>(value: F): F | undefined {
  return typeof value === "function" ? value : undefined;
}

/** By major and minor, so that 0.34.0-beta.1 is not taken for older than what it brings. */
function ordinal(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 10_000 + minor;
}
