/** On a machine that can run no plugin the package is imported all the same, and says why there are none. */
import { describe, expect, it } from "vitest";
import { onMachine } from "../support/cli.js";
import { Host } from "../support/host.js";

describe.each([
  ["aix-ppc64", /this is aix-ppc64/],
  ["linux-riscv64", /this is linux-riscv64/],
  ["freebsd-x64", /this is freebsd-x64/],
  ["win32-arm64", /this is win32-arm64/],
  ["musl", /workerd needs glibc, and this Node runs on musl.* Use a system with glibc/],
])("%s", (machine, reason) => {
  it.each(["index", "sandbox"])(
    "the entry %s is imported, and its runner says why no plugin can run",
    async (entry) => {
      const { node, env } = onMachine(machine);
      const host = new Host("unavailable.mjs", { args: [entry], node, env });
      host.endInput();
      expect(await host.ended, host.err).toEqual({ code: 0, signal: null });
      const said = JSON.parse(host.out);
      expect(said).toMatchObject({ isAvailable: false, status: { available: false, plugins: [] } });
      expect(said.reason).toMatch(reason);
      expect(said.refusal).toMatch(/^Plugin sandbox unavailable for p: /);
      expect(said.refusal).toContain(said.reason);
    },
  );
});
