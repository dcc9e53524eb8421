/**
 * A plugin that nobody should install. It does nothing until it is armed, on its page in the admin; then it spins for
 * ever whenever something is saved. Its other button fills the memory.
 */
const ARMED = "armed";

export default {
  hooks: {
    "content:afterSave": async (_event, ctx) => {
      if ((await ctx.kv.get(ARMED)) !== true) return;
      await ctx.log.warn("spinning for ever");
      for (;;);
    },
  },
  routes: {
    admin: async ({ input }, ctx) => {
      if (input.action_id === "arm") await ctx.kv.set(ARMED, true);
      if (input.action_id === "disarm") await ctx.kv.set(ARMED, false);
      if (input.action_id === "eat") eat();
      const isArmed = (await ctx.kv.get(ARMED)) === true;
      return {
        blocks: [
          { type: "header", text: "Hostile plugin" },
          {
            type: "context",
            text: isArmed ? "Armed: the next save spins for ever." : "Harmless until armed.",
          },
          {
            type: "actions",
            elements: [
              isArmed
                ? { type: "button", action_id: "disarm", label: "Disarm" }
                : { type: "button", action_id: "arm", label: "Arm" },
              { type: "button", action_id: "eat", label: "Eat memory" },
            ],
          },
        ],
      };
    },
    eat,
  },
};

function eat() {
  const eaten = [];
  for (;;) eaten.push(new Array(100_000).fill(eaten.length));
}
