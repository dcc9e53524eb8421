/** The suite of plugins that try to take the host with them, on ports of 127.0.0.1. */
import { describe } from "vitest";
import "../support/tcp.js";

describe("hostile", async () => void (await import("../hostile.spec.js")));
