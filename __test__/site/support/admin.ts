/** What an administrator does in EmDash's admin, by what is written on its buttons. */
import type { Page } from "playwright-core";

export class Admin {
  readonly #page: Page;
  readonly #url: string;

  /** @param url the site's */
  constructor(page: Page, url: string) {
    this.#page = page;
    this.#url = url;
  }

  /** `path` within the admin, such as `plugins/audit-log/history`. */
  async open(path: string): Promise<void> {
    await this.#page.goto(`${this.#url}/_emdash/admin/${path}`);
  }

  async setUp(title: string, user: { name: string; email: string }): Promise<void> {
    const page = this.#page;
    await this.open("");
    await page.getByPlaceholder("My Awesome Blog").fill(title);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByPlaceholder("you@example.com").fill(user.email);
    await page.getByPlaceholder("Jane Doe").fill(user.name);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("button", { name: "Create Passkey" }).click();
    await page.waitForURL(/\/login/);
  }

  async signIn(): Promise<void> {
    const page = this.#page;
    await page.getByRole("button", { name: "Sign in with Passkey" }).click();
    // She is greeted, once, in a dialog.
    await page.getByRole("button", { name: "Get Started" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }

  /** Answers with the post's id, when it is public. */
  async publish(title: string, text: string): Promise<string> {
    const page = this.#page;
    await this.open("content/posts/new");
    await page.getByLabel("Title", { exact: true }).fill(title);
    await page.locator("[contenteditable=true]").fill(text);
    await page.getByRole("button", { name: "Save", exact: true }).first().click();
    await page.waitForURL(/\/content\/posts\/(?!new)[^/]+$/);
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByRole("button", { name: "Unpublish" }).waitFor();
    return new URL(page.url()).pathname.split("/").at(-1) ?? "";
  }

  async setWebhook(address: string): Promise<void> {
    const page = this.#page;
    await this.open("plugins/webhook-notifier/settings");
    await page.getByLabel("Webhook URL").fill(address);
    await page.getByRole("button", { name: "Save Settings" }).click();
    await page.getByText("Settings saved").first().waitFor();
  }
}
