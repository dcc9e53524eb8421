// The launcher's tests of the jail, compiled, to be run where there is no cargo.
import { run } from "./run.mjs";

const BUILD = ["-p", "emdash-sandbox-launcher", "--locked", "--message-format=json-render-diagnostics"];

/**
 * Absolute paths, by which the tests know the two programs as well.
 *
 * @returns {Promise<{ tests: string, launcher: string, probe: string }>}
 */
export async function launcherTests() {
  const { code, text } = await run("cargo", ["test", "--no-run", "--test", "jail", ...BUILD], "capture");
  if (code !== 0) throw new Error("the launcher's tests could not be compiled");
  const messages = text.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  const executable = (/** @type {string} */ name) =>
    messages.find(({ target, executable }) => target?.name === name && executable).executable;
  return {
    tests: executable("jail"),
    launcher: executable("emdash-sandbox-launcher"),
    probe: executable("emdash-sandbox-probe"),
  };
}
