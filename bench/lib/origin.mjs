// A web server in a process of its own, for plugins to fetch from: `/large` is 5 MB, everything else is small.
import { createServer } from "node:http";
import process from "node:process";

const bytes = Buffer.alloc(5_000_000, 7);
const server = createServer((request, response) => {
  request.resume().on("end", () => response.end(request.url === "/large" ? bytes : "small"));
});
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.once("disconnect", () => process.exit());
