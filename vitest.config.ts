import process from "node:process";
import { defineConfig } from "vitest/config";

/** Those that look at what is answered, and not at when or by whom. */
const ANSWERS = ["bridge", "cli", "context", "dev", "package", "parity"].map(
  (folder) => `__test__/${folder}/**/*.spec.ts`,
);

export default defineConfig({
  test: {
    // A process per file: the addon lives as long as its process, and a test may kill what it started.
    pool: "forks",
    // Far above what any test needs on two busy cores (a plugin starts in 0.1 s), and still an end.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // The jail is on, and a system call that it does not expect is the plugin's end: an error that workerd copes with
    // would go unseen.
    env: { EMDASH_SANDBOX_JAIL_STRICT: "1" },
    setupFiles: process.env.EMDASH_TEST_LAUNCHER ? ["__test__/support/other-launcher.ts"] : [],
    // A test that passes the second time has found something.
    retry: 0,
    projects: [
      {
        extends: true,
        test: {
          name: "answers",
          include: ANSWERS,
          // No word of theirs hangs on how long something takes.
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "package",
          include: ["__test__/**/*.spec.ts"],
          exclude: [...ANSWERS, "__test__/site/**", "__test__/docs/**"],
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
        },
      },
      {
        extends: true,
        test: {
          name: "site",
          include: ["__test__/site/**/*.spec.ts"],
          // A whole site, Astro and a browser: after the others, which measure, and one file at a time.
          sequence: { groupOrder: 2 },
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "docs",
          include: ["__test__/docs/**/*.spec.ts"],
          // Benches and builds among them, which want the machine for themselves.
          sequence: { groupOrder: 3 },
          fileParallelism: false,
        },
      },
    ],
  },
});
