/**
 * A cgroup for each process, on the kernel's own tree: where this very run has been given a part of it, as in the machines
 * of `scripts/machine.mjs`, which also say that it has to be so (`EMDASH_TEST_CGROUPS=require`).
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { onLinux } from "../support/processes.js";
import { ask, loadPlugin, makeRunner } from "../support/runner.js";
import { until } from "../support/until.js";

const TREE = "/sys/fs/cgroup";
const MB = 1024 * 1024;

/** Beside what others of the same host have made. */
const OURS = `emdash-sandbox-${process.pid}-`;

const isDelegated = process.env.EMDASH_TEST_CGROUPS === "require" || (onLinux && isBesideUs());

const KEEPS = `const kept = [];
  export default { routes: { ping: () => "pong", keep: ({ input }) => {
    for (let n = 0; n < 64; n += 1) kept.push(new Uint8Array(1 << 20).fill(1));
    return kept.length;
  } } };`;

describe.skipIf(!isDelegated)(
  "where the host is delegated a cgroup v2 (systemd: Delegate=memory pids)",
  () => {
    it("each process has one with bounds of its own, and none is left behind it", async () => {
      const runner = makeRunner({ limits: { memoryMb: 32 } });
      const plugins = [];
      for (const id of ["one", "two"]) plugins.push(await loadPlugin(runner, KEEPS, { id }));
      for (const plugin of plugins) expect(await ask(plugin, undefined, "ping")).toBe("pong");
      const { limits, plugins: told } = runner.status();
      expect(limits?.hasCgroups).toBe(true);
      const cgroups = told.map(({ processId }) => cgroupOf(processId));
      expect(cgroups.map((path) => basename(path).startsWith(OURS))).toEqual([true, true]);
      expect(new Set([...cgroups, cgroupOf(process.pid)]).size).toBe(3);
      for (const [index, cgroup] of cgroups.entries()) {
        expect(read(cgroup, "cgroup.procs")).toBe(`${told[index]?.processId}`);
        expect(Number(read(cgroup, "memory.max"))).toBe((32 + 128) * MB);
        expect(read(cgroup, "pids.max")).toBe("64");
        if (existsSync(join(cgroup, "memory.swap.max"))) expect(read(cgroup, "memory.swap.max")).toBe("0");
        // It is counted there, and not where it was born.
        expect(Number(read(cgroup, "memory.current"))).toBeGreaterThan(MB);
      }
      await runner.terminateAll();
      expect(cgroups.filter((path) => existsSync(path))).toEqual([]);
    });

    it("a process that the kernel ends for it is told of as past its limit, and a fresh one gets a fresh one", async () => {
      const runner = makeRunner({ limits: { cpuMs: 20_000 } });
      const plugin = await loadPlugin(runner, KEEPS, { id: "attacker" });
      const neighbour = await loadPlugin(runner, KEEPS, { id: "neighbour" });
      expect(await ask(neighbour, undefined, "ping")).toBe("pong");
      expect(await ask(plugin, undefined, "ping")).toBe("pong");
      const [first, other] = runner.status().plugins.map(({ processId }) => cgroupOf(processId));
      // Less than its other limits allow, so that it is the kernel's count of the cgroup that ends it.
      const most = Number(read(first, "memory.current")) + 8 * MB;
      writeFileSync(join(first ?? "", "memory.max"), `${most}`);
      await expect(ask(plugin, undefined, "keep")).rejects.toThrow(
        "Plugin attacker exceeded memory limit of 128MB during route:keep",
      );
      expect(await ask(plugin, undefined, "keep")).toBe(64);
      expect(await ask(neighbour, undefined, "ping")).toBe("pong");
      const [second, same] = runner.status().plugins.map(({ processId }) => cgroupOf(processId));
      expect([second === first, same === other]).toEqual([false, true]);
      await until(() => !existsSync(first ?? ""), "the cgroup of the process that ended is gone");
      await runner.terminateAll();
      expect(readdirSync(dirname(second ?? "")).filter((name) => name.startsWith(OURS))).toEqual([]);
    });
  },
);

/** Whether we may write to the cgroup around our own, which is a leaf. For root that says nothing. */
function isBesideUs(): boolean {
  const [, own] = /^0::\/(.+)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
  if (own === undefined || process.getuid?.() === 0) return false;
  const parent = dirname(join(TREE, own));
  try {
    for (const file of ["cgroup.procs", "cgroup.subtree_control"])
      accessSync(join(parent, file), constants.W_OK);
    const controllers = read(parent, "cgroup.controllers").split(" ");
    return !parent.endsWith(".slice") && ["memory", "pids"].every((name) => controllers.includes(name));
  } catch {
    return false;
  }
}

function cgroupOf(pid: number | null): string {
  const [, path = ""] = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8")) ?? [];
  return join(TREE, path);
}

function read(cgroup: string | undefined, file: string): string {
  return readFileSync(join(cgroup ?? "", file), "utf8").trim();
}
