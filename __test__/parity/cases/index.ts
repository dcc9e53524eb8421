import type { Case } from "../case.js";
import { capabilities } from "./capabilities.js";
import { contentRead } from "./content-read.js";
import { contentWrite } from "./content-write.js";
import { context } from "./context.js";
import { fetches } from "./fetch.js";
import { kv } from "./kv.js";
import { mediaUsersTaxonomies } from "./media-users-taxonomies.js";
import { storage } from "./storage.js";

export const subjects: [subject: string, cases: Case[]][] = [
  ["ctx", context],
  ["kv", kv],
  ["storage", storage],
  ["reading content", contentRead],
  ["writing content", contentWrite],
  ["media, users, taxonomies, email", mediaUsersTaxonomies],
  ["http.fetch without a network", fetches],
  ["capabilities", capabilities],
];
