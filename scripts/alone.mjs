// Loaded before the example site's own code: hides this repository's packages from it. The site lies within the
// repository, so Node would find there what the site has not installed, and what a site elsewhere would miss.
import Module, { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const OURS = fileURLToPath(new URL("../node_modules", import.meta.url));

registerHooks({
  resolve(specifier, context, nextResolve) {
    const found = nextResolve(specifier, context);
    if (!found.url.startsWith(`file://${OURS}/`)) return found;
    throw Object.assign(new Error(`${specifier} is not installed in the site, only in the repository`), {
      code: "ERR_MODULE_NOT_FOUND",
    });
  },
});

// `createRequire(…).resolve` asks this, and no hook.
const nodeModulePaths = Module._nodeModulePaths;
Module._nodeModulePaths = (from) => nodeModulePaths(from).filter((path) => path !== OURS);
