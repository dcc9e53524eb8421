/** Many invocations at once, what they share, and what outlives their answer. */
import { expect, it } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, loadPlugin, makeRunner, routeOf, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const printed = useConsole();
const site = useDatabase();

/** How often the text stands in the lines that the plugin `test` has logged. */
function logged(): string[] {
  return printed.map(({ line }) => line).filter((line) => line.startsWith("[plugin:test] "));
}

it("64 hooks at once each write their key, and each gets its own answer", async () => {
  const plugin = await loadPlugin(
    makeRunner({ db: site.db }),
    `export default { hooks: { async save({ n }, ctx) {
       await ctx.kv.set("key:" + n, { n });
       return (await ctx.kv.get("key:" + n)).n;
     } }, routes: { run: (_, ctx) => ctx.kv.list("key:") } };`,
    { id: "writer" },
  );
  const numbers = Array.from({ length: 64 }, (_, n) => n);
  expect(await Promise.all(numbers.map((n) => plugin.invokeHook("save", { n })))).toEqual(numbers);
  expect(await ask(plugin)).toHaveLength(64);
});

it("1000 calls of one invocation at once are all answered, though only 256 may be under way", async () => {
  const plugin = await loadPlugin(
    makeRunner({ db: site.db }),
    routeOf(`const all = await Promise.all(Array.from({ length: 1000 }, () => ctx.kv.get("nothing")));
      return all.filter((value) => value === null).length`),
  );
  expect(await ask(plugin)).toBe(1000);
});

it("two plugins of one runner run at once, and neither waits for or sees the other", async () => {
  const runner = makeRunner({ db: site.db });
  const [one, other] = await Promise.all(
    ["one", "other"].map((id) =>
      loadPlugin(
        runner,
        `export default { routes: {
           // Ends only when the other plugin's call has been carried out in between.
           async run({ input }, ctx) { while (!(await ctx.kv.get("go"))) await ctx.kv.get("again"); return ctx.plugin.id; },
           go: (_, ctx) => ctx.kv.set("go", true),
           keys: (_, ctx) => ctx.kv.list(),
         } };`,
        { id },
      ),
    ),
  );
  if (!one || !other) throw new Error("two were loaded");
  const waiting = ask(one);
  await ask(other, {}, "go");
  expect(await ask(other)).toBe("other");
  expect(await ask(one, {}, "keys")).toEqual([]);
  await ask(one, {}, "go");
  expect(await waiting).toBe("one");
});

it("a module's state lives from call to call, because plugins keep things between hooks", async () => {
  const runner = makeRunner();
  const code = `let calls = 0; export default { hooks: { h: () => ++calls }, routes: { run: () => ++calls } };`;
  const plugin = await loadPlugin(runner, code);
  expect([await plugin.invokeHook("h", {}), await ask(plugin), await plugin.invokeHook("h", {})]).toEqual([
    1, 2, 3,
  ]);
  const neighbour = await loadPlugin(runner, code, { id: "neighbour" });
  expect(await ask(neighbour)).toBe(1);
});

it("50 log calls that nobody awaits all arrive, in order and once", async () => {
  const plugin = await loadPlugin(
    makeRunner(),
    routeOf(`for (let n = 0; n < 50; n += 1) ctx.log.info("line " + n);`),
  );
  await ask(plugin);
  await until(() => logged().length >= 50, "50 lines");
  expect(logged()).toEqual(Array.from({ length: 50 }, (_, n) => `[plugin:test] line ${n}`));
});

it("log calls of before an error arrive, because they are what explains it", async () => {
  const plugin = await loadPlugin(
    makeRunner(),
    routeOf(`ctx.log.warn("about to fail"); throw new Error("failed");`),
  );
  await expect(ask(plugin)).rejects.toThrow("failed");
  await until(() => logged().includes("[plugin:test] about to fail"), "the line");
});

it("a kv write that nobody awaits lands, because EmDash's examples end that way", async () => {
  const plugin = await loadPlugin(
    makeRunner({ db: site.db }),
    `export default { hooks: { h(_, ctx) { ctx.kv.set("unawaited", 1); } },
       routes: { run: (_, ctx) => ctx.kv.get("unawaited") } };`,
  );
  expect(await plugin.invokeHook("h", {})).toBeUndefined();
  await until(async () => (await ask(plugin)) === 1, "the value");
});

it("work that goes on after the answer lands while the invocation's time is not up", async () => {
  const plugin = await loadPlugin(
    makeRunner({ db: site.db }),
    `export default { hooks: { h(_, ctx) {
         setTimeout(async () => { await ctx.kv.get("x"); await ctx.kv.set("afterwards", 1); }, 20);
         return "answered";
       } }, routes: { run: (_, ctx) => ctx.kv.get("afterwards") } };`,
  );
  expect(await plugin.invokeHook("h", {})).toBe("answered");
  await until(async () => (await ask(plugin)) === 1, "the value");
});
