/** Where the webhook plugin delivers to: a server of the site owner's own network, here on this machine's loopback. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll } from "vitest";

export interface Delivery {
  event: string;
  resourceId: string;
  collection: string;
}

export interface Receiver {
  readonly address: string;
  readonly deliveries: Delivery[];
}

/** 127.0.0.1 as the webhook plugin takes it: it has a list of its own of what is private, and this is not on it. */
export const RECEIVER = "[::ffff:127.0.0.1]";

export function useReceiver(port: number): Receiver {
  const deliveries: Delivery[] = [];
  let server: Server;
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      deliveries.push(JSON.parse(Buffer.concat(chunks).toString()));
      response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://${RECEIVER}:${port}/hook`, deliveries };
}
