/** `ctx.email`. */
import { HiddenError, isPublic, PublicError } from "./database-errors.js";
import { operation } from "./operation.js";

export const send = operation<[message: string]>(async ({ emailSend }, plugin, [message]) => {
  if (emailSend === null) throw new PublicError("Email is not configured. No email provider is available.");
  // Nothing but what EmDash documents reaches the mail pipeline.
  const { to, subject, text, html } = JSON.parse(message);
  try {
    await emailSend({ to, subject, text, ...(html !== undefined && { html }) }, plugin.id);
  } catch (error) {
    if (isPublic(error)) throw error;
    // A provider's words may hold its host, its account or somebody's address.
    throw new HiddenError("The email could not be sent", error);
  }
  return "null";
});
