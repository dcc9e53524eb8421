/** Where the addon's lines go: the host's console. Rust has made them safe to print. */
import type { EventOf } from "./inbox.js";

const PREFIX = "[emdash:workerd]";

/** A plugin's `ctx.log` has the plugin's name alone before it, as EmDash documents; all else has ours as well. */
export function printLog([, source, pluginId, level, message, data]: EventOf<"log">): void {
  // The console takes its first word for a format when more follow.
  const plugin = pluginId === null ? [] : [`[plugin:${pluginId}]`.replaceAll("%", "%%")];
  const rest = data === null ? [message] : [message, data];
  if (source === "plugin") print(level)(...plugin, ...rest);
  else print(level)([PREFIX, ...plugin].join(" "), ...rest);
}

export function warn(message: string): void {
  console.warn(PREFIX, message);
}

function print(level: string): (...parts: string[]) => void {
  switch (level) {
    case "debug":
      return console.debug;
    case "warn":
      return console.warn;
    case "error":
      return console.error;
    default:
      return console.info;
  }
}
