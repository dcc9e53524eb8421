/** The descriptors of this site's own plugins: what EmDash embeds of them when it builds, and what they may do. */
import { fileURLToPath } from "node:url";

export const about = {
  id: "about",
  version: "1.0.0",
  format: "standard",
  entrypoint: file("about.mjs"),
  capabilities: ["content:write"],
  adminPages: [{ path: "/about", label: "What plugins see", icon: "info" }],
};

export const hostile = {
  id: "hostile",
  version: "1.0.0",
  format: "standard",
  entrypoint: file("hostile.mjs"),
  capabilities: [],
  adminPages: [{ path: "/hostile", label: "Hostile plugin", icon: "warning" }],
};

function file(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}
