/** Ports on which a process listens, and requests to them as somebody else on the machine makes them (Linux). */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { request } from "node:http";

/** In the order of their numbers. */
export function portsOf(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((descriptor) => socketOf(`/proc/${pid}/fd/${descriptor}`)),
  );
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1);
  // `sl local_address rem_address st … inode`; state 0A is listening.
  const listening = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === "0A");
  const own = listening.filter((fields) => inodes.has(fields[9]));
  return own.map((fields) => Number.parseInt(String(fields[1]?.split(":")[1]), 16)).sort((a, b) => a - b);
}

function socketOf(descriptor: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(descriptor))?.[1];
  } catch {
    // It has been closed meanwhile.
    return undefined;
  }
}

export type Reply = { status: number; headers: Record<string, unknown>; body: string };

/** An upgrade is a reply as well. */
export function knock(
  port: number,
  path: string,
  { method = "GET", headers = {} as Record<string, string>, body = "" } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    asked.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: "" });
    });
    asked.on("error", reject).end(body);
  });
}
