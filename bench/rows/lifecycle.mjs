// Plugins that come and go, each time in a runner of its own.
import { once, quantile } from "../lib/measure.mjs";

const WHO = ["peer", "ours"];

export const lifecycleRows = [
  {
    id: "cold",
    title: "cold start: from load to the first answer",
    who: [...WHO, "floor"],
    run: (start) =>
      withRunner(start, 1, async (contender) => {
        const time = await once(async () => (await contender.load()).invokeHook("noop", { n: 1 }));
        return { ms: time };
      }),
    // There is nothing to load into it: it is started, and asked once.
    floor: async (start) => {
      let floor;
      const time = await once(async () => {
        floor = await start();
        await floor.echo("1");
      });
      await floor.close();
      return { ms: time };
    },
  },
  {
    id: "add",
    title: "adding the tenth plugin while another is called",
    who: WHO,
    run: (start) =>
      withRunner(start, 10, async (contender) => {
        const [neighbour] = await contender.loadAll(9);
        const beside = await whileCalling(neighbour, () =>
          once(async () => (await contender.load()).invokeHook("noop", { n: 1 })),
        );
        return { ms: beside.result, "neighbour's worst ms": beside.worst, "calls lost": beside.lost };
      }),
  },
  {
    id: "unload",
    title: "unloading one of ten while another is called",
    who: WHO,
    run: (start) =>
      withRunner(start, 10, async (contender) => {
        const [neighbour, ...others] = await contender.loadAll(10);
        const beside = await whileCalling(neighbour, () => once(() => others[0].terminate()));
        return { ms: beside.result, "neighbour's worst ms": beside.worst, "calls lost": beside.lost };
      }),
  },
];

async function withRunner(start, plugins, run) {
  const contender = await start(plugins);
  try {
    return await run(contender);
  } finally {
    await contender.close();
  }
}

/** Calls the plugin without a pause while something happens, and a while longer, since its effects may come late. */
async function whileCalling(plugin, happens) {
  let isOver = false;
  let lost = 0;
  const times = [];
  const calling = (async () => {
    for (let n = 0; !isOver || n < 200; n += 1)
      times.push(
        await once(() =>
          plugin.invokeHook("noop", { n }).catch(() => {
            lost += 1;
          }),
        ),
      );
  })();
  const result = await happens();
  isOver = true;
  await calling;
  return { result, lost, worst: quantile(times, 1) };
}
