/** Where in its author's file a plugin failed. */
import { basename } from "node:path";

/** The name that a plugin's code has inside workerd, in no folder: its lines are the file's. */
const INSIDE = /(?<=[\s(])plugin\.js:(\d+):(\d+)/;

export interface Place {
  line: number;
  column: number;
  /** As the stack has it, with the file's own name. */
  text: string;
}

/** From the error's stack, or from the words of one that was thrown at the plugin's start. */
export function placesOf(error: Error, file: string): Place[] {
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const told = frames.filter((line) => INSIDE.test(line));
  // A start's complaint has them all in one line.
  const texts =
    told.length > 0 ? told : (error.message.match(/\bat (?:[^()]{1,100} \()?plugin\.js:\d+:\d+\)?/g) ?? []);
  return texts.flatMap((text) => {
    const [, line, column] = INSIDE.exec(text) ?? [];
    if (line === undefined) return [];
    const shown = text.trim().replace(/(?<=[\s(])plugin\.js:/, `${basename(file)}:`);
    return [{ line: Number(line), column: Number(column), text: shown }];
  });
}

/** The line itself, with a mark under the column. Minified code has no lines to show. */
export function excerpt(code: string, { line, column }: Place): string[] {
  const text = code.split("\n")[line - 1];
  if (text === undefined || text.length > MAX_LENGTH) return [];
  const number = String(line);
  // Tabs stay tabs, so that the mark stands where it should.
  const indent = text.slice(0, column - 1).replace(/[^\t]/g, " ");
  return [`${number} | ${text.trimEnd()}`, `${" ".repeat(number.length)} | ${indent}^`];
}

const MAX_LENGTH = 200;
