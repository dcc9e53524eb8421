/** How much one plugin may have under way at once: past it, its callers are told, and nobody else waits. */
import { expect, it, onTestFinished } from "vitest";
import { useConsole } from "../support/console.js";
import { ask, loadPlugin, makeRunner, useDatabase } from "../support/runner.js";
import { until } from "../support/until.js";

const site = useDatabase();
useConsole();

const MAIL = `{ to: "a@b.example", subject: "s", text: "t" }`;

it("host operations that never end take a plugin's places until their invocation's time is over, not for ever", async () => {
  let sent = 0;
  const runner = makeRunner({
    db: site.db,
    limits: { wallTimeMs: 1500 },
    emailSend: () => {
      sent += 1;
      return new Promise(() => {});
    },
  });
  const plugin = await loadPlugin(
    runner,
    `export default { routes: {
      stuck: (_, ctx) => { for (let n = 0; n < 300; n += 1) ctx.email.send(${MAIL}).catch(() => {}); return "left"; },
      run: (_, ctx) => ctx.kv.get("none"),
    } };`,
    { capabilities: ["email:send"] },
  );
  // Where there is no place left, what the plugin says is not read, its answers included.
  await Promise.allSettled([ask(plugin, undefined, "stuck"), ask(plugin, undefined, "stuck")]);
  await until(
    () =>
      ask(plugin).then(
        (value) => value === null,
        () => false,
      ),
    "it is heard again",
  );
  // 32 of each, though there would have been place for more.
  expect(sent).toBeGreaterThanOrEqual(32);
  expect(sent).toBeLessThanOrEqual(64);
});

it("a plugin's invocations together have 256 operations under way, and what comes after them waits", async () => {
  let open = 0;
  let most = 0;
  const held: (() => void)[] = [];
  const runner = makeRunner({
    emailSend: async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise<void>((resolve) => held.push(resolve));
      open -= 1;
    },
  });
  const plugin = await loadPlugin(
    runner,
    `export default { routes: {
      many: async (_, ctx) => (await Promise.all(Array.from({ length: 32 }, () => ctx.email.send(${MAIL})))).length,
    } };`,
    { capabilities: ["email:send"] },
  );
  const many = Promise.all(Array.from({ length: 9 }, () => ask(plugin, undefined, "many")));
  await until(() => held.length === 256, "as many are under way as may be");
  // One more for each that ends: with nothing released, nothing comes.
  held.shift()?.();
  await until(() => held.length === 256, "the next one has its turn");
  const releasing = setInterval(() => {
    for (const release of held.splice(0)) release();
  }, 5);
  onTestFinished(() => clearInterval(releasing));
  expect(await many).toEqual(Array(9).fill(32));
  expect(most).toBe(256);
});

it("one invocation's many calls take turns, all of them are answered, and another one's need not wait for them", async () => {
  let open = 0;
  let most = 0;
  const held: (() => void)[] = [];
  const runner = makeRunner({
    db: site.db,
    emailSend: async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise<void>((resolve) => held.push(resolve));
      open -= 1;
    },
  });
  const plugin = await loadPlugin(
    runner,
    `export default { routes: {
      many: async (_, ctx) => (await Promise.all(Array.from({ length: 100 }, () => ctx.email.send(${MAIL})))).length,
      run: (_, ctx) => ctx.kv.get("none"),
    } };`,
    { capabilities: ["email:send"] },
  );
  const many = ask(plugin, undefined, "many");
  await until(() => held.length === 32, "as many are under way as may be");
  expect(await ask(plugin)).toBeNull();
  const releasing = setInterval(() => {
    for (const release of held.splice(0)) release();
  }, 5);
  onTestFinished(() => clearInterval(releasing));
  expect(await many).toBe(100);
  expect(most).toBe(32);
});

it("a thousand invocations of a plugin may be open, and the next one is refused with the reason", async () => {
  const runner = makeRunner({ limits: { wallTimeMs: 10_000 } });
  const plugin = await loadPlugin(
    runner,
    `export default { routes: { wait: () => new Promise(() => {}) } };`,
  );
  const neighbour = await loadPlugin(runner, `export default { routes: { run: () => "fine" } };`, {
    id: "next",
  });
  const waiting = Promise.allSettled(Array.from({ length: 1000 }, () => ask(plugin, undefined, "wait")));
  await expect(ask(plugin, undefined, "wait")).rejects.toMatchObject({
    name: "SandboxUnavailableError",
    message: expect.stringMatching(/: 1000 calls of it are under way or wait, and it takes no more$/),
  });
  expect(await ask(neighbour)).toBe("fine");
  await plugin.terminate();
  for (const { status } of await waiting) expect(status).toBe("rejected");
});

it("an event that no frame can hold is refused by its size, and the plugin goes on", async () => {
  const plugin = await loadPlugin(
    makeRunner(),
    `export default { routes: { run: ({ input }) => input.length } };`,
  );
  await expect(ask(plugin, "x".repeat(65 * 1024 * 1024))).rejects.toThrow(
    /: what it is called with is more than 64 MiB as JSON$/,
  );
  expect(await ask(plugin, "x".repeat(10 * 1024 * 1024))).toBe(10 * 1024 * 1024);
});
