// The runner that ours replaces, `@emdash-cms/sandbox-workerd`, unpacked into a folder of its own: it runs
// `workerd/bin/workerd` of the nearest node_modules, which is a Node script where install scripts are blocked, and it
// listens on fixed ports.
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);

/** The workerd of the package `workerd`, which both run. */
export const WORKERD = require.resolve(
  `@cloudflare/workerd-linux-${process.arch === "x64" ? "64" : "arm64"}/bin/workerd`,
);

/** @returns {Promise<{ entry: string, remove(): Promise<void> }>} `entry` can be imported as a file URL */
export async function unpackPeer() {
  const installed = dirname(dirname(require.resolve("@emdash-cms/sandbox-workerd")));
  const modules = dirname(dirname(installed));
  const folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-peer-"));
  const copy = join(folder, "node_modules/@emdash-cms/sandbox-workerd");
  await mkdir(copy, { recursive: true });
  for (const part of ["dist", "package.json"])
    await cp(join(installed, part), join(copy, part), { recursive: true });
  await symlink(await realpath(join(installed, "node_modules")), join(copy, "node_modules"));
  for (const name of ["kysely", "ulidx"])
    await symlink(await realpath(join(modules, name)), join(folder, "node_modules", name));
  const beside = join(folder, "node_modules/workerd");
  await mkdir(join(beside, "bin"), { recursive: true });
  await mkdir(join(beside, "lib"));
  await writeFile(join(beside, "package.json"), '{"name":"workerd","main":"lib/main.js"}');
  await writeFile(join(beside, "lib/main.js"), "");
  // It outlives a host that is killed, unless the kernel is told.
  const script = `#!/bin/sh\nexec setpriv --pdeathsig KILL -- '${WORKERD}' "$@"\n`;
  await writeFile(join(beside, "bin/workerd"), script, { mode: 0o755 });
  return {
    entry: pathToFileURL(join(copy, "dist/sandbox/index.mjs")).href,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A runner of the peer. `close` ends its workerd, whatever state that is in. */
export async function peerRunner(entry, options, plugins) {
  const { WorkerdSandboxRunner } = await import(entry);
  const before = new Set(process.listeners("SIGTERM"));
  const runner = new WorkerdSandboxRunner(options);
  for (const listener of process.listeners("SIGTERM"))
    if (!before.has(listener)) process.removeListener("SIGTERM", listener);
  runner.freePorts = await freePorts(plugins);
  return {
    runner,
    workerds: () => [runner.workerdProcess?.pid].filter((pid) => pid !== undefined),
    async close() {
      const pid = runner.workerdProcess?.pid;
      await runner.terminateAll();
      try {
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    },
  };
}

/** Below the kernel's own range, so that no outgoing connection takes one before workerd does. */
async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    await new Promise((resolve) => {
      server.once("error", resolve);
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(ports.add(port))));
    });
  }
  return [...ports];
}
