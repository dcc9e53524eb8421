/** Makes two answers comparable: what must differ is numbered, what must not stays. */

const ULID = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;
/** The seed's times are of 2001. */
const NOW = /\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** Ids that were made up become numbers in the order of their appearance, and times of today a word. */
export function mask<T>(outcomes: T, seeded: ReadonlySet<string> = new Set()): T {
  const numbers = new Map<string, string>();
  const text = JSON.stringify(outcomes, inKeyOrder)
    .replace(NOW, "<now>")
    .replace(ULID, (id) => {
      if (seeded.has(id)) return id;
      const known = numbers.get(id) ?? `<id ${numbers.size + 1}>`;
      numbers.set(id, known);
      return known;
    });
  return JSON.parse(text) as T;
}

/** So that ids are met in the same order on both sides. */
function inKeyOrder(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
