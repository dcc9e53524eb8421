/** What a visitor and an editor get from a site while one of its plugins misbehaves. Counts, because times are the machine's. */
import type { Page } from "playwright-core";

/** How many of `pages` page views were answered, in full, with what the plugin `about` puts into a page. */
export async function visit(url: string, pages: number, signal?: AbortSignal): Promise<number> {
  let answered = 0;
  for (let asked = 0; asked < pages && !signal?.aborted; asked += 1) {
    try {
      const response = await fetch(url, { signal: signal ?? null });
      const text = await response.text();
      if (response.status === 200 && text.includes('name="plugin-about"')) answered += 1;
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }
  return answered;
}

/** Saves a post from the admin's own page, with its session, and says whether that succeeded. */
export function save(page: Page, url: string, id: string, title: string): Promise<boolean> {
  return page.evaluate(
    async ({ url, id, title }) => {
      const response = await fetch(`${url}/_emdash/api/content/posts/${id}`, {
        method: "PUT",
        headers: { "content-type": "application/json", "x-emdash-request": "1" },
        body: JSON.stringify({ data: { title } }),
      });
      return response.ok;
    },
    { url, id, title },
  );
}

/** Does something again and again while something else is under way. Answers with how often, and the other's answer. */
export async function meanwhile<T>(again: () => Promise<void>, other: Promise<T>): Promise<[number, T]> {
  let isOver = false;
  const over = other.finally(() => {
    isOver = true;
  });
  let times = 0;
  while (!isOver) {
    await again();
    times += 1;
  }
  return [times, await over];
}
