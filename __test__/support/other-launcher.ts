/** For `scripts/denials.mjs`: every runner starts its processes by the program that it names. */
import { vi } from "vitest";
import type * as Native from "../../host/native.js";

vi.mock("../../host/native.js", async (original) => {
  const { loadNative } = (await original()) as typeof Native;
  return {
    loadNative() {
      const loaded = loadNative();
      const launcher = process.env.EMDASH_TEST_LAUNCHER;
      if (!loaded.ok || launcher === undefined) return loaded;
      return { ...loaded, native: { ...loaded.native, launcher } };
    },
  };
});
