/** The launcher's test program, built as its own tests build it. */
import { execFileSync } from "node:child_process";

/** Takes a moment, or a compilation; none where there is no cargo (`EMDASH_TEST_PROBE`). */
export function probePath(): string {
  const built = process.env.EMDASH_TEST_PROBE;
  if (built) return built;
  const args = ["build", "--locked", "-p", "emdash-sandbox-launcher", "--bin", "emdash-sandbox-probe"];
  const messages = execFileSync("cargo", [...args, "--quiet", "--message-format=json"], { encoding: "utf8" });
  for (const line of messages.split("\n")) {
    const { executable } = line.startsWith("{") ? (JSON.parse(line) as { executable?: string }) : {};
    if (executable) return executable;
  }
  throw new Error("cargo built no emdash-sandbox-probe");
}
