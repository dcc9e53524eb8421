/** One row of the parity suite's table: what a plugin does, on both sides. */

/** A path of `ctx` and its arguments. "typeof a" and "keys a" ask about a member instead of calling it. */
export type Call = readonly [path: string, ...args: unknown[]];

/** What came of a call: its answer in the tagged encoding of `parity-plugin.js`, or the message of what it threw. */
export type Outcome = { value: unknown } | { error: string };

export interface Case {
  readonly name: string;
  readonly calls: readonly Call[];
  /** Which of the plugins of `plugins.ts` does it. */
  readonly plugin: string;
  readonly differs?: Difference;
}

export interface Difference {
  /** A row of docs/differences.md. */
  readonly id: string;
  /** What ours must answer, call by call. */
  readonly ours: readonly unknown[];
  /** The kinds of database on which it differs; on others the two agree. */
  readonly on?: readonly string[];
}

/** Both answer the same. */
export function same(name: string, ...calls: Call[]): Case {
  return { name, calls, plugin: "everything" };
}

/** They answer differently, and ours as said here. */
export function differs(id: string, name: string, ours: unknown[], ...calls: Call[]): Case {
  return { ...same(name, ...calls), differs: { id, ours } };
}

/** On these databases they differ. */
export function on(kinds: string[], row: Case): Case {
  if (row.differs === undefined) throw new Error(`${row.name} does not differ at all`);
  return { ...row, differs: { ...row.differs, on: kinds } };
}

export function as(plugin: string, ...cases: Case[]): Case[] {
  return cases.map((row) => ({ ...row, name: `${row.name} (as ${plugin})`, plugin }));
}

export function value(answer: unknown): Outcome {
  return { value: answer };
}

export const nothing = value({ $: "undefined" });

/** What a plugin sees of a call that the bridge refuses. */
export function refused(method: string, message: string): Outcome {
  return { error: `Bridge call ${method} failed: ${JSON.stringify({ error: message })}` };
}

/** A part of what an earlier call of the same case answered. */
export function from(call: number, ...path: (string | number)[]): unknown {
  return { $: "marker", is: "from", call, path };
}

/** A text that is made in the plugin, so that it is large only there. */
export function repeat(text: string, times: number): unknown {
  return { $: "marker", is: "repeat", text, times };
}

/** An object that throws when it is written as JSON. */
export const throwing: unknown = { $: "marker", is: "throwing" };

export function cycle(): unknown {
  const round: Record<string, unknown> = { name: "round" };
  round.self = round;
  return round;
}

/** Whatever is no string, by name. */
export const NO_STRINGS: readonly [name: string, value: unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["a number", 7],
  ["a boolean", true],
  ["an object", {}],
  ["an array", ["a"]],
  ["a function", () => {}],
  ["a symbol", Symbol("s")],
];

/** Whatever is no plain object, by name. */
export const NO_RECORDS: readonly [name: string, value: unknown][] = [
  ["null", null],
  ["a string", "text"],
  ["a number", 7],
  ["an array", []],
];

/** Names that are members of every object, and other traps. */
export const ODD_NAMES: readonly string[] = [
  "",
  " ",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "a/b",
  "../a",
  "a%b_c",
  "'; drop table users; --",
  '"quoted"',
  "new\nline",
  "tab\t",
  "ünï cödé",
  "日本語",
  "🦀👩‍👩‍👧",
  "e\u0301",
  "\u200b\ufeff",
  "\u202e",
];
