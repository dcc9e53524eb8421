/**
 * Differences that touch so many answers that a case for each would hide the others: the peer's answer is first rewritten
 * into ours. The suite checks that each rewriting was needed.
 */
import type { Call, Outcome } from "./case.js";

type Rewrite = (outcome: Outcome, path: string) => Outcome;

export const REWRITES: Readonly<Record<string, Rewrite>> = {
  "capability-names": (outcome) =>
    "error" in outcome ? { error: outcome.error.replace(/(?<=Missing capability: )[\w:]+/, today) } : outcome,
  "kv-order": (outcome) => ("value" in outcome ? { value: inOrder(outcome.value) } : outcome),
  "term-order": (outcome, path) => {
    const place = PLACES[path];
    return place && "value" in outcome ? { value: sortedBy(place, outcome.value) } : outcome;
  },
  "content-locale": (outcome) => ("value" in outcome ? { value: withLocale(outcome.value) } : outcome),
};

/** The peer's outcomes as ours would say them; `used` learns which differences it took. */
export function reconcile(outcomes: Outcome[], calls: readonly Call[], used: Set<string>): Outcome[] {
  return outcomes.map((outcome, at) =>
    Object.entries(REWRITES).reduce((before, [id, rewrite]) => {
      const after = rewrite(before, calls[at]?.[0] ?? "");
      if (JSON.stringify(after) !== JSON.stringify(before)) used.add(id);
      return after;
    }, outcome),
  );
}

function today(name: string): string {
  const [action, subject] = name.split(":");
  if (name === "network:fetch") return "network:request";
  return action === "read" || action === "write" ? `${subject}:${action}` : name;
}

function inOrder(value: unknown): unknown {
  if (!Array.isArray(value) || !value.every(isEntry)) return value;
  // Of the keys in question: none has a letter past U+FFFF beside one of U+E000 to U+FFFF.
  return value.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function isEntry(value: unknown): value is { key: string } {
  return value !== null && typeof value === "object" && "key" in value && "value" in value;
}

/** By what ours sorts the answers of these, and the peer only by the first. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  "taxonomies.getAll": ["name", "locale"],
  "taxonomies.getEntryTerms": ["locale", "taxonomy", "label", "id"],
};

function sortedBy(fields: readonly string[], value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const place = (row: Record<string, unknown>) => fields.map((field) => row[field]).join("\0");
  return value.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
}

function withLocale(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withLocale);
  if (value === null || typeof value !== "object") return value;
  if (isItem(value)) {
    const { locale, translation_group: _group, ...data } = value.data;
    return { ...value, data, locale };
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withLocale(inner)]));
}

function isItem(value: object): value is { data: Record<string, unknown> } {
  return "type" in value && "data" in value && !("locale" in value);
}
