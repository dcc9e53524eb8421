import { describe, expect, it } from "vitest";
import { firstPast } from "../../host/bridge/prefix.js";

describe("the first text past a prefix", () => {
  it.each([
    ["a", "b"],
    ["ab", "ac"],
    ["", null],
    ["\u{10ffff}", null],
    ["a\u{10ffff}\u{10ffff}", "b"],
    ["\ud7ff", "\ue000"],
    ["😀", "😁"],
    ["\uffff", "\u{10000}"],
    ["a\0", "a\u0001"],
  ])("%j: %j", (prefix, past) => {
    expect(firstPast(prefix)).toBe(past);
  });

  it("lies past every text with the prefix and not past the next one", () => {
    const bytes = (text: string) => Buffer.from(text);
    for (let point = 0; point < 0x10ffff; point += point < 0x100 ? 1 : 0x3d) {
      if (point >= 0xd800 && point < 0xe000) continue;
      const prefix = `k${String.fromCodePoint(point)}`;
      const past = firstPast(prefix) ?? "";
      expect(Buffer.compare(bytes(`${prefix}\u{10ffff}`), bytes(past))).toBe(-1);
    }
  });
});
