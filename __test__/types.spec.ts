/** EmDash's own types are the contract: what we export must fit where EmDash expects its own. */
import type { SandboxedPluginInstance, SandboxOptions, SandboxRunner, SandboxRunnerFactory } from "emdash";
import { expectTypeOf, it } from "vitest";
import * as main from "../host/index.js";
import * as sandbox from "../host/sandbox.js";

// Checked by `tsc --noEmit`, which `npm run ready` runs; vitest itself removes the types.
it("createSandboxRunner is EmDash's SandboxRunnerFactory", () => {
  expectTypeOf(sandbox.createSandboxRunner).toExtend<SandboxRunnerFactory>();
  expectTypeOf(main.createSandboxRunner).toEqualTypeOf(sandbox.createSandboxRunner);
});

it("the class takes EmDash's options and is EmDash's SandboxRunner", () => {
  expectTypeOf(sandbox.WorkerdSandboxRunner).toBeConstructibleWith({} as SandboxOptions);
  expectTypeOf<sandbox.WorkerdSandboxRunner>().toExtend<SandboxRunner>();
});

it("what load gives is EmDash's SandboxedPluginInstance", () => {
  type Loaded = Awaited<ReturnType<sandbox.WorkerdSandboxRunner["load"]>>;
  expectTypeOf<Loaded>().toExtend<SandboxedPluginInstance>();
});
