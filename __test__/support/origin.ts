/** Servers for `ctx.http.fetch`, on this machine's loopback, which the tests open as an operator would. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll } from "vitest";

/** What the origin saw of a request. */
export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  raw: string[];
  body: Buffer;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => unknown;

export interface Origin {
  /** Such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly host: string;
  /** How many connections are open. */
  readonly open: number;
  /** Resolves when a connection has closed that was open at some time. */
  closed(): Promise<void>;
}

/** An HTTP server for a whole file, and the variable that lets plugins reach it. */
export function useOrigin(handler: Handler, address = "127.0.0.1"): Origin {
  const sockets = new Set<Socket>();
  let waiting: (() => void)[] = [];
  let server: Server;
  beforeAll(async () => {
    openPrivateHosts();
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of request) chunks.push(chunk as Buffer);
      } catch {
        // Its plugin gave it up.
        return;
      }
      handler(request, response, Buffer.concat(chunks));
    });
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => {
        sockets.delete(socket);
        for (const tell of waiting) tell();
        waiting = [];
      });
    });
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const port = () => (server.address() as AddressInfo).port;
  const host = address.includes(":") ? `[${address}]` : address;
  return {
    get url() {
      return `http://${host}:${port()}`;
    },
    host,
    get open() {
      return sockets.size;
    },
    closed: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

/** As an operator would, for the runners that are made afterwards. */
export function openPrivateHosts(): void {
  process.env.EMDASH_SANDBOX_PRIVATE_HOSTS = "127.0.0.1,[::1],localhost";
}

/** Answers with what it saw, as JSON. */
export const echo: Handler = (request, response, body) => {
  const seen = {
    method: request.method,
    url: request.url,
    headers: request.headers,
    raw: request.rawHeaders,
    body: body.toString("latin1"),
  };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(seen));
};
