/** The token that stands for a loaded plugin. Only its workerd is told it; here a fake one tells. */
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { useConsole } from "./support/console.js";
import { loadPlugin, makeRunner } from "./support/runner.js";
import { until } from "./support/until.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

it("says who the plugin is and what it may, to the runner that signed it and while the plugin is loaded", async () => {
  vi.stubEnv("EMDASH_SANDBOX_JAIL", "off");
  vi.stubEnv("EMDASH_WORKERD_BIN", join(import.meta.dirname, "fixtures/fake-workerd/tells-token.mjs"));
  const [runner, other] = [makeRunner(), makeRunner()];
  const plugin = await loadPlugin(runner, "", {
    id: "who",
    version: "1.2.3",
    capabilities: ["write:content", "network:request"],
    allowedHosts: ["api.example.com"],
    storage: { notes: { indexes: [] } },
  });
  const told = () => printed.map(({ line }) => / token (\S+)$/.exec(line)?.[1]).find(Boolean) ?? "";
  await until(() => told() !== "", "the fake has told the token");

  expect(runner.validateToken(told())).toEqual({
    pluginId: "who",
    version: "1.2.3",
    capabilities: ["content:read", "content:write", "network:request"],
    allowedHosts: ["api.example.com"],
    storageCollections: ["notes"],
  });
  expect(other.validateToken(told()), "another runner has another key").toBeNull();
  expect(runner.validateToken(`${told().slice(0, -1)}${told().endsWith("A") ? "B" : "A"}`)).toBeNull();

  await plugin.terminate();
  expect(runner.validateToken(told()), "it ends with the load").toBeNull();
});
