/** What `run` leaves behind: nothing, also on Windows, where libSQL's file is open until its objects are collected. */
import { describe, expect, it } from "vitest";
import { removeFolder } from "../../host/cli/remove.js";
import { useConsole } from "../support/console.js";

const printed = useConsole();
const BUSY = "EBUSY: resource busy or locked";

describe("a folder with a file that is open until its owner is collected", () => {
  it("is removed, because the owner is collected first", async () => {
    let isOpen = true;
    const files = new FinalizationRegistry<null>(() => {
      isOpen = false;
    });
    (() => files.register({ path: "site.db" }, null))();
    const removed: string[] = [];
    await removeFolder("folder", (folder) => {
      if (isOpen) throw new Error(BUSY);
      removed.push(folder);
    });
    expect(removed).toEqual(["folder"]);
    expect(printed).toEqual([]);
  });

  it("is named when somebody else keeps it open, and is no reason to fail", async () => {
    await removeFolder("folder", () => {
      throw new Error(BUSY);
    });
    expect(printed).toEqual([{ level: "error", line: `folder is left behind: ${BUSY}` }]);
  });

  it("leaves nobody else a collector", async () => {
    const { runInNewContext } = await import("node:vm");
    await removeFolder("folder", () => {
      throw new Error(BUSY);
    });
    expect(runInNewContext("typeof gc")).toBe("undefined");
  });
});
