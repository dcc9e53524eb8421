/** A plugin that can't start: its caller and the operator learn why, and nobody else is hurt. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { useConsole } from "../support/console.js";
import { fakeRunner } from "../support/fake.js";
import { childrenOf, onLinux } from "../support/processes.js";
import { ask, loadPlugin, makeRunner, routeOf } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();
afterEach(() => vi.unstubAllEnvs());

const HEALTHY = routeOf("return 'fine'");

/** What a call of a plugin with this code is told. */
async function refusal(code: string): Promise<{ name: string; message: string }> {
  const plugin = await loadPlugin(makeRunner(), code);
  const error = await ask(plugin).catch((error: Error) => error);
  if (!(error instanceof Error)) throw new Error(`it started, and answered ${JSON.stringify(error)}`);
  return { name: error.name, message: error.message };
}

function unavailable(reason: RegExp) {
  const text = `^Plugin sandbox unavailable for test:1\\.0\\.0: ${reason.source}`;
  return { name: "SandboxUnavailableError", message: expect.stringMatching(new RegExp(text)) };
}

describe("the error of a plugin whose code", () => {
  it.each<[what: string, code: string, reason: RegExp]>([
    [
      "does not parse, with the line",
      "export default {\n  routes: {},\n};\nconst a b = 1;\n",
      /its process ended with exit code 1: Uncaught SyntaxError: .* at plugin\.js:4:\d+$/,
    ],
    [
      "throws at its start, with its own lines",
      `const f = () => {\n  throw new TypeError("boom");\n};\nf();\nexport default {};`,
      /it threw at its start: TypeError: boom at f \(plugin\.js:2:9\) at plugin\.js:4:1$/,
    ],
    ["throws a text at its start", `throw "words";`, /it threw at its start: words$/],
    ["throws null at its start", `throw null;`, /it threw at its start: null$/],
    [
      "throws what throws when it is looked at",
      `throw { get stack() { throw 1; }, toString() { throw 2; } };`,
      /it threw at its start: a value that can't be shown$/,
    ],
    [
      "imports a module that is not there",
      `import x from "no-such-module"; export default {};`,
      /.*no-such-module/,
    ],
    ["imports a name that is not there", `import { x } from "emdash"; export default {};`, /.*emdash/],
    ["imports a file of the host", `import x from "/etc/passwd"; export default {};`, /.*etc\/passwd/],
    ["exports nothing", `const a = 1;`, /it has no default export with hooks and routes$/],
    ["is empty", ``, /it has no default export with hooks and routes$/],
    ["exports null", `export default null;`, /it has no default export with hooks and routes$/],
    ["exports a text", `export default "hooks";`, /it has no default export with hooks and routes$/],
    ["awaits what never comes", `await new Promise(() => {}); export default {};`, /./],
    [
      "says its text in several lines",
      `throw new Error("one\\ntwo\\u001b[2J");`,
      /it threw at its start: Error: one two\\u\{1b\}\[2J/,
    ],
  ])("%s", async (_what, code, reason) => {
    expect(await refusal(code)).toEqual(unavailable(reason));
    const [line] = printed;
    expect(line).toMatchObject({
      level: "warn",
      line: expect.stringMatching(/^\[emdash:workerd\] \[plugin:test\] /),
    });
  });

  it("never ends its start comes when its processor time is up, or the deadline, and its process is gone (Linux)", async () => {
    // On a machine so busy that two seconds of the processor take five, it is the deadline.
    expect(await refusal("for (;;) {} export default {};")).toEqual(
      unavailable(/(it used more than 2 s of processor time at its start|it was not ready after 5000 ms)$/),
    );
    if (onLinux) await until(() => childrenOf(process.pid).length === 0, "no process left");
  });

  it("calls process.exit at its start serves all the same, because workerd exits for a request only", async () => {
    expect(await ask(await loadPlugin(makeRunner(), `process.exit(0); ${HEALTHY}`))).toBe("fine");
  });
});

it("neighbours start and serve beside plugins that can't start", async () => {
  const runner = makeRunner();
  const broken = ["for (;;) {}", "throw 1;", "syntax error", ""];
  const failing = Promise.allSettled(
    broken.map(async (code, at) => ask(await loadPlugin(runner, code, { id: `broken-${at}` }))),
  );
  const serving = [1, 2, 3].map(async (at) => ask(await loadPlugin(runner, HEALTHY, { id: `fine-${at}` })));
  expect(await Promise.all(serving)).toEqual(["fine", "fine", "fine"]);
  expect(runner.isHealthy()).toBe(true);
  const outcomes = await failing;
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
});

it("calls that wait for a start that fails all get its reason, hooks too", async () => {
  const plugin = await loadPlugin(makeRunner(), `throw new Error("boom");`);
  const outcomes = await Promise.allSettled([
    ask(plugin),
    plugin.invokeHook("h", {}),
    plugin.ensureRunning(),
  ]);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: { name: "SandboxUnavailableError", message: expect.stringContaining("Error: boom") },
    });
  }
});

it("after a failed start calls fail for the same reason at once, and later one tries again", async () => {
  const plugin = await loadPlugin(makeRunner(), `throw new Error("boom");`);
  const starts = () => printed.filter(({ line }) => line.includes("can't start:")).length;
  for (let call = 0; call < 20; call += 1) await expect(ask(plugin)).rejects.toThrow("boom");
  // Twenty calls in a moment cost one process, or two should the moment have been long.
  expect(starts()).toBeLessThan(3);
  const before = starts();
  await until(async () => {
    await expect(ask(plugin)).rejects.toThrow("boom");
    return starts() > before;
  }, "another start");
});

describe("EMDASH_SANDBOX_START_TIMEOUT_MS", () => {
  it("is how long a start may take", async () => {
    vi.stubEnv("EMDASH_SANDBOX_START_TIMEOUT_MS", "300");
    const plugin = await loadPlugin(fakeRunner("never-ready.mjs"), "");
    await expect(ask(plugin)).rejects.toEqual(
      expect.objectContaining(unavailable(/it was not ready after 300 ms$/)),
    );
  });

  it("counts for those who wait for the turn of their start, too: none waits for all of the others", async () => {
    vi.stubEnv("EMDASH_SANDBOX_START_TIMEOUT_MS", "400");
    const runner = fakeRunner("never-ready.mjs");
    const ids = Array.from({ length: 24 }, (_, at) => `p${at}`);
    const calls = ids.map(async (id) => ask(await loadPlugin(runner, "", { id })));
    const words = (await Promise.allSettled(calls)).map((outcome) =>
      outcome.status === "rejected" ? String(outcome.reason.message).replace(/^.*?1\.0\.0: /, "") : "",
    );
    expect(new Set(words)).toEqual(
      new Set(["it was not ready after 400 ms", "its process was not ready in time"]),
    );
    // Four at a time take 400 ms, and a call waits for 900: so most of the starts are still to come.
    const { plugins } = runner.status();
    expect(plugins.filter(({ state }) => state === "starting").length).toBeGreaterThan(0);
    await runner.terminateAll();
    if (onLinux) expect(childrenOf(process.pid)).toEqual([]);
  });
});

describe("a time that is none is refused by name, because a default in its place would hide the mistake", () => {
  const range = {
    EMDASH_SANDBOX_START_TIMEOUT_MS: "from 1 to 600000",
    EMDASH_SANDBOX_IDLE_MS: "from 100 to 2592000000",
  };
  const wrong = ["soon", "-1", "5 s", "1e12", "NaN", "Infinity", "0x"];
  const cases = [
    ...Object.entries(range).flatMap(([name, words]) => wrong.map((value) => [name, value, words])),
    ["EMDASH_SANDBOX_START_TIMEOUT_MS", "0", range.EMDASH_SANDBOX_START_TIMEOUT_MS],
    ["EMDASH_SANDBOX_IDLE_MS", "99", range.EMDASH_SANDBOX_IDLE_MS],
  ] as [string, string, string][];

  it.each(cases)("%s=%s", (name, value, words) => {
    vi.stubEnv(name, value);
    expect(() => makeRunner()).toThrow(
      new RangeError(
        `emdash-sandbox-native: ${name} must be a number ${words}, not ${String(Number(value)).replace("Infinity", "inf")}`,
      ),
    );
  });

  it.each(Object.keys(range))("while an empty %s is the default", (name) => {
    vi.stubEnv(name, "  ");
    expect(makeRunner().isAvailable()).toBe(true);
  });
});
