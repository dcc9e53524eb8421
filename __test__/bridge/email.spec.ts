import { describe, expect, it } from "vitest";
import { publicMessage } from "../../host/bridge/index.js";
import type { Database, Host } from "../../host/bridge/operation.js";
import { callerOf } from "../support/bridge.js";

const message = '{"to":"a@b.c","subject":"s","text":"t","html":"<p>","bcc":"everybody@b.c"}';

async function send(emailSend: Host["emailSend"], text = message): Promise<unknown> {
  return await callerOf({} as Database, { id: "sender" }, { emailSend })("email/send", text);
}

async function refusal(emailSend: Host["emailSend"]): Promise<string> {
  return publicMessage(await send(emailSend).catch((error) => error), "email/send");
}

describe("email", () => {
  it("hands over the documented parts, and who sends", async () => {
    const sent: unknown[] = [];
    const emailSend: Host["emailSend"] = async (...args) => void sent.push(args);
    expect(await send(emailSend)).toBeNull();
    await send(emailSend, '{"to":"a","subject":"","text":""}');
    expect(sent).toEqual([
      [{ to: "a@b.c", subject: "s", text: "t", html: "<p>" }, "sender"],
      [{ to: "a", subject: "", text: "" }, "sender"],
    ]);
  });

  it("says when there is no provider", async () => {
    expect(await refusal(null)).toBe("Email is not configured. No email provider is available.");
  });

  it("passes EmDash's own refusals on", async () => {
    const error = Object.assign(new Error("No email provider is configured."), {
      name: "EmailNotConfiguredError",
    });
    expect(await refusal(() => Promise.reject(error))).toBe("No email provider is configured.");
  });

  it("keeps a provider's words from the plugin, and the operator sees them", async () => {
    const failing: Host["emailSend"] = () => Promise.reject(new Error("535 bad login for root@mail"));
    expect(await refusal(failing)).toBe("The email could not be sent");
    await expect(send(failing)).rejects.toThrow("535 bad login for root@mail");
  });
});
