/** What a plugin may put into the operator's log: how long a line, how many, and at whose cost. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
const printed = useConsole();

const DROPPED =
  /^\[emdash:workerd\] \[plugin:loud\] (\d+) log lines dropped: it logs faster than they are printed$/;

function dropped(): number {
  return printed.reduce((sum, { line }) => sum + Number(DROPPED.exec(line)?.[1] ?? 0), 0);
}

it.each([
  ["ctx.log", "ctx.log.info", "[plugin:loud] line "],
  ["console", "console.log", "[emdash:workerd] [plugin:loud] line "],
])(
  "of 4000 lines of %s a burst is printed, and one line says how many were not",
  async (_what, log, prefix) => {
    const plugin = await loadPlugin(
      makeRunner(),
      routeOf(`for (let n = 0; n < 4000; n += 1) ${log}("line " + n); return "said"`),
      { id: "loud" },
    );
    expect(await ask(plugin)).toBe("said");
    const lines = () => printed.filter(({ line }) => line.startsWith(prefix)).map(({ line }) => line);
    await until(() => lines().length + dropped() === 4000, "every line is printed or counted");
    expect(lines()[0]).toBe(`${prefix}0`);
    expect(lines().length).toBeGreaterThanOrEqual(500);
    expect(dropped()).toBeGreaterThan(1000);
    expect(printed.filter(({ line }) => DROPPED.test(line)).length).toBeLessThan(100);
  },
);

it("a plugin that has been too loud is heard again, and its neighbour all the time", async () => {
  const runner = makeRunner();
  const flood = `for (let n = 0; n < 3000; n += 1) ctx.log.info("flood"); return "said"`;
  const loud = await loadPlugin(
    runner,
    routeOf(`if (input) { ${flood} } ctx.log.info("once"); return "said"`),
    {
      id: "loud",
    },
  );
  const quiet = await loadPlugin(runner, routeOf(`ctx.log.info("heard"); return "said"`), { id: "quiet" });
  await Promise.all([ask(loud, true), ask(quiet), ask(quiet), ask(quiet)]);
  await until(() => dropped() > 0, "what was dropped is told");
  expect(printed.filter(({ line }) => line === "[plugin:quiet] heard")).toHaveLength(3);
  const before = printed.filter(({ line }) => line === "[plugin:loud] once").length;
  await until(async () => {
    await ask(loud, false);
    return printed.filter(({ line }) => line === "[plugin:loud] once").length > before;
  }, "it is heard again");
});

it("long lines are cut at 8 KiB, and none brings a control character", async () => {
  const nasty = `"\\u001b[2J\\u0007\\r" + "x".repeat(2 ** 18)`;
  const body = `ctx.log.info(${nasty}); console.log(${nasty}); console.error(${nasty});
    for (const log of [ctx.log.info, console.log, console.error]) log("end"); return 1`;
  await ask(await loadPlugin(makeRunner(), routeOf(body), { id: "loud" }));
  await until(() => printed.filter(({ line }) => line.endsWith("end")).length === 3, "the last lines");
  expect(printed.filter(({ line }) => line.includes("xxx")).length).toBeGreaterThanOrEqual(3);
  const prefix = "[emdash:workerd] [plugin:loud] ".length;
  for (const { line } of printed) {
    expect(line.length).toBeLessThan(prefix + 8192 + 100);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through.
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  }
});

it("a flood that lasts as long as its neighbour works does not keep the neighbour from working", async () => {
  const limits = { cpuMs: 20_000, subrequests: 1_000_000 };
  const runner = makeRunner({ db: site.db, limits });
  const flood = `
    while (!(await ctx.kv.get("enough"))) for (let n = 0; n < 200; n += 1) { ctx.log.info("flood"); console.log("flood"); }
    return "dry"`;
  const code = `export default { routes: {
    async run({ input }, ctx) { ${flood} },
    enough: (_, ctx) => ctx.kv.set("enough", true),
  } };`;
  const loud = await loadPlugin(runner, code, { id: "loud" });
  const neighbour = await loadPlugin(
    runner,
    routeOf(`await ctx.kv.set("n", input); return ctx.kv.get("n")`),
    {
      id: "neighbour",
    },
  );
  expect(await ask(neighbour, 0)).toBe(0);
  const flooding = ask(loud);
  await until(() => dropped() > 0, "the flood is past its bound");
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 1);
  for (let n = 1; n <= 300; n += 1) expect(await ask(neighbour, n)).toBe(n);
  clearInterval(ticking);
  expect(turns, "the host had its turns").toBeGreaterThan(3);
  await ask(loud, undefined, "enough");
  expect(await flooding).toBe("dry");
});
