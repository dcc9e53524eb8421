/** Who sets limits, who wins, and what is no limit. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";

const site = useDatabase();
useConsole();

afterEach(() => vi.unstubAllEnvs());

const VARIABLES = [
  ["EMDASH_SANDBOX_CPU_MS", "cpuMs"],
  ["EMDASH_SANDBOX_MEMORY_MB", "memoryMb"],
  ["EMDASH_SANDBOX_SUBREQUESTS", "subrequests"],
  ["EMDASH_SANDBOX_WALL_TIME_MS", "wallTimeMs"],
] as const;

const PLUGIN = routeOf(`
  if (input === "spin") for (;;);
  if (input === "fill") { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); }
  if (input === "wait") await new Promise(() => {});
  for (let n = 0; n < input; n += 1) await ctx.kv.get("k");
  return "fine";`);

/** What the plugin is told when it exceeds each limit. */
async function limitsOf(options: Parameters<typeof makeRunner>[0]) {
  const plugin = await loadPlugin(makeRunner({ db: site.db, ...options }), PLUGIN);
  const told = async (input: unknown) => ask(plugin, input).then(String, ({ message }: Error) => message);
  return { cpu: await told("spin"), wall: await told("wait"), subrequests: await told(30) };
}

describe("limits", () => {
  it("that the environment sets hold, because EmDash passes a site's none", async () => {
    vi.stubEnv("EMDASH_SANDBOX_CPU_MS", "60");
    vi.stubEnv("EMDASH_SANDBOX_SUBREQUESTS", "25");
    vi.stubEnv("EMDASH_SANDBOX_WALL_TIME_MS", " 3000 ");
    expect(await limitsOf({})).toEqual({
      cpu: "Plugin test exceeded CPU-time limit of 60ms during route:run",
      wall: "Plugin test exceeded wall-time limit of 3000ms during route:run",
      subrequests: expect.stringContaining("at most 25 calls on ctx"),
    });
  });

  it("that options set win over the environment, because who makes the runner knows what it is for", async () => {
    for (const [variable] of VARIABLES) vi.stubEnv(variable, "40");
    expect(await limitsOf({ limits: { cpuMs: 70, subrequests: 26, wallTimeMs: 3100 } })).toEqual({
      cpu: "Plugin test exceeded CPU-time limit of 70ms during route:run",
      wall: "Plugin test exceeded wall-time limit of 3100ms during route:run",
      subrequests: expect.stringContaining("at most 26 calls on ctx"),
    });
  });

  it("that are empty in the environment, or absent among the options, are the defaults", async () => {
    for (const [variable] of VARIABLES) vi.stubEnv(variable, "  ");
    const plugin = await loadPlugin(
      makeRunner({ db: site.db, limits: { cpuMs: undefined } as object }),
      PLUGIN,
    );
    // Past what EmDash documents: a site that switches over must not break.
    expect(await ask(plugin, 50)).toBe("fine");
    await expect(ask(plugin, "spin")).rejects.toThrow("50ms on average, 500ms at once");
  });

  it("of memory may be set, too", async () => {
    vi.stubEnv("EMDASH_SANDBOX_MEMORY_MB", "24");
    const body = "const all = []; for (;;) all.push({ a: [1, 2, 3] })";
    const plugin = await loadPlugin(makeRunner({ limits: { cpuMs: 10_000 } }), routeOf(body));
    await expect(ask(plugin)).rejects.toThrow("exceeded memory limit of 24MB");
  });
});

describe("EMDASH_SANDBOX_LIMITS=cloudflare", () => {
  it("enforces Cloudflare's documented numbers exactly, so that an author can test against them", async () => {
    vi.stubEnv("EMDASH_SANDBOX_LIMITS", "cloudflare");
    // But for the wall time, which nobody wants to wait for.
    vi.stubEnv("EMDASH_SANDBOX_WALL_TIME_MS", "3200");
    expect(await limitsOf({})).toEqual({
      cpu: "Plugin test exceeded CPU-time limit of 50ms during route:run",
      wall: "Plugin test exceeded wall-time limit of 3200ms during route:run",
      subrequests: `Plugin test:1.0.0 route run failed: Bridge call kv/get failed: {"error":"Too many subrequests: a hook or route may make at most 10 calls on ctx"}`,
    });
    expect(await ask(await loadPlugin(makeRunner({ db: site.db }), PLUGIN), 10)).toBe("fine");
  });

  it("has the size of a row of D1, since Cloudflare would refuse a larger one", async () => {
    const put = routeOf(
      `return ctx.kv.set("k", "x".repeat(input)).then(() => "kept", ({ message }) => message)`,
    );
    const kept = async (bytes: number) => ask(await loadPlugin(makeRunner({ db: site.db }), put), bytes);
    expect(await kept(2_000_000)).toBe("kept");
    vi.stubEnv("EMDASH_SANDBOX_LIMITS", "cloudflare");
    expect(await kept(1_999_998)).toBe("kept");
    expect(await kept(1_999_999)).toBe(
      `Bridge call kv/set failed: {"error":"Parameter value must take at most 2 MB as JSON"}`,
    );
  });

  it("is 50, 128, 10 and 30 000, each exact, and all of it is enforced", () => {
    vi.stubEnv("EMDASH_SANDBOX_LIMITS", "cloudflare");
    const names = ["cpuMs", "memoryMb", "subrequests", "wallTimeMs"];
    expect(makeRunner().status().limits).toMatchObject({
      cpuMs: 50,
      cpuRule: "exact",
      memoryMb: 128,
      subrequests: 10,
      wallTimeMs: 30_000,
      enforced: [...names, "maxUploadMb", "maxFetchMb"],
    });
  });

  it("spelt otherwise is refused, because whoever sets it relies on it", () => {
    vi.stubEnv("EMDASH_SANDBOX_LIMITS", "Cloudfare");
    expect(() => makeRunner()).toThrow(
      new RangeError(
        "emdash-sandbox-native: EMDASH_SANDBOX_LIMITS must be cloudflare or unset, not Cloudfare",
      ),
    );
  });
});

describe("what is no limit is refused at the start, by its name, because a limit must not fail open:", () => {
  const NONSENSE = ["0", "-1", "NaN", "abc", "1e99", "Infinity", "-Infinity", "12ms", "0x", "1,5", "null"];

  const NAMES = [
    ...VARIABLES.map(([variable]) => variable),
    "EMDASH_SANDBOX_MAX_UPLOAD_MB",
    "EMDASH_SANDBOX_MAX_FETCH_MB",
  ];
  it.each(NAMES.flatMap((variable) => NONSENSE.map((text) => [variable, text] as const)))(
    "%s=%s",
    (variable, text) => {
      vi.stubEnv(variable, text);
      expect(() => makeRunner()).toThrow(
        expect.objectContaining({
          name: "RangeError",
          message: expect.stringMatching(
            new RegExp(`^emdash-sandbox-native: ${variable} must be a number from \\d+ to \\d+, not`),
          ),
        }),
      );
    },
  );

  it.each([["none"], [5], [true], [[]], [() => {}]])("limits of %o", (limits) => {
    expect(() => makeRunner({ limits: limits as object })).toThrow(
      expect.objectContaining({
        name: "RangeError",
        message: expect.stringMatching(/^emdash-sandbox-native: limits must be an object or absent, not /),
      }),
    );
  });

  it.each(["cpuMS", "cpu", "memory", "timeout", ""])("limits.%s", (name) => {
    expect(() => makeRunner({ limits: { [name]: 10 } })).toThrow(
      new RangeError(
        `emdash-sandbox-native: limits.${name} is no limit: there are cpuMs, memoryMb, subrequests, wallTimeMs`,
      ),
    );
  });

  it.each(["memoryMb", "subrequests"])("half a unit of %s", (name) => {
    expect(() => makeRunner({ limits: { [name]: 20.5 } })).toThrow(
      new RangeError(`emdash-sandbox-native: limits.${name} must be a whole number, not 20.5`),
    );
  });

  it.each(
    VARIABLES.flatMap(([, name]) =>
      [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e99, "50", true, {}, [50], 5n].map(
        (value) => [name, value] as const,
      ),
    ),
  )("limits.%s of %o", (name, value) => {
    expect(() => makeRunner({ limits: { [name]: value } })).toThrow(
      expect.objectContaining({
        name: "RangeError",
        message: expect.stringMatching(
          new RegExp(`^emdash-sandbox-native: limits\\.${name} must be a number from`),
        ),
      }),
    );
  });
});
