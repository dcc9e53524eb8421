/** Every operation that runs on the host's own database, by its method. */
import * as content from "./content.js";
import * as contentWrites from "./content-writes.js";
import * as email from "./email.js";
import * as kv from "./kv.js";
import * as media from "./media.js";
import type { Operation } from "./operation.js";
import * as storage from "./storage.js";
import * as taxonomies from "./taxonomies.js";
import * as users from "./users.js";

export const operations: ReadonlyMap<string, Operation> = new Map([
  ["kv/get", kv.get],
  ["kv/set", kv.set],
  ["kv/delete", kv.remove],
  ["kv/list", kv.list],
  ["storage/get", storage.get],
  ["storage/put", storage.put],
  ["storage/delete", storage.remove],
  ["storage/exists", storage.exists],
  ["storage/getMany", storage.getMany],
  ["storage/putMany", storage.putMany],
  ["storage/deleteMany", storage.removeMany],
  ["storage/query", storage.query],
  ["storage/count", storage.count],
  ["content/get", content.get],
  ["content/list", content.list],
  ["content/create", contentWrites.create],
  ["content/update", contentWrites.update],
  ["content/delete", contentWrites.remove],
  ["content/createMany", contentWrites.createMany],
  ["content/updateMany", contentWrites.updateMany],
  ["content/deleteMany", contentWrites.removeMany],
  ["taxonomy/list", taxonomies.list],
  ["taxonomy/terms", taxonomies.terms],
  ["taxonomy/entryTerms", taxonomies.entryTerms],
  ["media/get", media.get],
  ["media/list", media.list],
  ["media/upload", media.upload],
  ["media/readBytes", media.readBytes],
  ["media/delete", media.remove],
  ["users/get", users.get],
  ["users/getByEmail", users.getByEmail],
  ["users/list", users.list],
  ["email/send", email.send],
]);

export { publicMessage } from "./database-errors.js";
export { EmDash } from "./emdash.js";
export type { Answer, Host, MayWrite, Operation, PluginScope } from "./operation.js";
export { type RouteError, routeErrorOf } from "./route-errors.js";
