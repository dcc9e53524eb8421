/** Every operation that runs on the host's own database, by its method. */
import * as content from "./content.js";
import * as kv from "./kv.js";
import type { Operation } from "./operation.js";
import * as storage from "./storage.js";

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
]);

export { publicMessage } from "./database-errors.js";
export type { Host, Operation, PluginScope } from "./operation.js";
