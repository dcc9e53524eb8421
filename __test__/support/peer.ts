/**
 * The runner that ours replaces, `@emdash-cms/sandbox-workerd`, as an oracle. Unpacked into a folder of its own, because
 * of three of its habits: it runs `workerd/bin/workerd` of the nearest node_modules, which is a Node script when install
 * scripts are blocked; it listens on fixed ports; and its workerd outlives it.
 */
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Published from "@emdash-cms/sandbox-workerd/sandbox";
import type { SandboxOptions } from "emdash";
import { findWorkerd } from "../../host/workerd-binary.js";

export interface Peer {
  runner: Published.WorkerdSandboxRunner;
  createBridgeHandler: typeof Published.createBridgeHandler;
  /** Ends its workerd, whatever state it is in, and removes its folder. */
  close(): Promise<void>;
}

/** @param plugins how many will be loaded: each takes a port */
export async function startPeer(options: SandboxOptions, plugins: number): Promise<Peer> {
  const { folder, entry } = await unpackPeer();
  const { WorkerdSandboxRunner, createBridgeHandler } = (await import(
    pathToFileURL(entry).href
  )) as typeof Published;

  const before = new Set(process.listeners("SIGTERM"));
  const runner = new WorkerdSandboxRunner(options);
  // It would keep this process from ending on SIGTERM.
  for (const listener of process.listeners("SIGTERM")) {
    if (!before.has(listener)) process.removeListener("SIGTERM", listener);
  }
  const inside = runner as unknown as { freePorts: number[]; workerdProcess: { pid?: number } | null };
  inside.freePorts = await freePorts(plugins);
  return {
    runner,
    createBridgeHandler,
    async close() {
      const pid = inside.workerdProcess?.pid;
      await runner.terminateAll();
      if (pid !== undefined) kill(pid);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A folder for whoever calls to remove, with a node_modules that has its files, and links to all that they import. */
export async function unpackPeer(): Promise<{ folder: string; entry: string }> {
  const installed = dirname(dirname(createRequire(import.meta.url).resolve("@emdash-cms/sandbox-workerd")));
  const modules = dirname(dirname(installed));
  const folder = await mkdtemp(join(tmpdir(), "emdash-sandbox-peer-"));
  const copy = join(folder, "node_modules/@emdash-cms/sandbox-workerd");
  await mkdir(copy, { recursive: true });
  await cp(join(installed, "dist"), join(copy, "dist"), { recursive: true });
  await cp(join(installed, "package.json"), join(copy, "package.json"));
  await symlink(await realpath(join(installed, "node_modules")), join(copy, "node_modules"));
  for (const name of ["kysely", "ulidx"]) {
    await symlink(await realpath(join(modules, name)), join(folder, "node_modules", name));
  }
  await unpackWorkerd(join(folder, "node_modules/workerd"));
  return { folder, entry: join(copy, "dist/sandbox/index.mjs") };
}

/** `exec` keeps the process id, and the parent-death signal ends workerd with this process, also after SIGKILL. */
async function unpackWorkerd(folder: string): Promise<void> {
  const found = findWorkerd(process.env);
  if (!found.ok) throw new Error(found.reason);
  await mkdir(join(folder, "bin"), { recursive: true });
  await mkdir(join(folder, "lib"));
  await writeFile(join(folder, "package.json"), '{"name":"workerd","main":"lib/main.js"}');
  await writeFile(join(folder, "lib/main.js"), "");
  const script = `#!/bin/sh\nexec setpriv --pdeathsig KILL -- '${found.binary.path}' "$@"\n`;
  await writeFile(join(folder, "bin/workerd"), script, { mode: 0o755 });
}

/** Below the kernel's own range, so that no outgoing connection takes one before workerd does. */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
