// What the rows are to reach: `ratio` to the peer at least, or `most` in the measure's own unit, or at most `floors`
// times the floor, or `isBelow`: below the peer.
export const TARGETS = {
  noop: {
    "p50 µs": { ratio: 8, floors: 2 },
    "p99 µs": { ratio: 8 },
    "Node CPU µs": { ratio: 10 },
  },
  noop32: { "calls/s": { ratio: 8 } },
  pageView: { "p50 µs": { ratio: 500 } },
  large: { "p50 µs": { ratio: 4 } },
  readsInARow: { "p50 µs": { ratio: 5 } },
  readsAtOnce: { "p50 µs": { ratio: 8 } },
  cold: { ms: { ratio: 4 } },
  add: { ms: { ratio: 3 }, "calls lost": { most: 0 } },
  upload: { "p50 µs": { ratio: 30 }, "Node CPU µs": { ratio: 30 } },
  idle: { 10: { isBelow: true } },
  worn: { MB: { most: 20 } },
  import: { ms: { most: 30 }, MB: { most: 5 } },
};

/** More of these is better. */
const MORE_IS_BETTER = new Set(["calls/s"]);

/** How many times better ours is, or `undefined` where the peer has nothing to compare with. */
export function ratioOf(measure, peer, ours) {
  if (peer === undefined || ours === undefined || peer === 0 || ours === 0) return undefined;
  return MORE_IS_BETTER.has(measure) ? ours / peer : peer / ours;
}

/** @returns the target in words, and whether it is met; `undefined` when there is none. */
export function verdict(row, measure, { peer, ours, floor, ratio }) {
  const target = TARGETS[row]?.[measure];
  if (!target || ours === undefined) return undefined;
  const parts = [];
  if (target.ratio !== undefined && peer !== undefined)
    parts.push([`${target.ratio}×`, ratio >= target.ratio]);
  if (target.floors !== undefined && floor !== undefined)
    parts.push([`${target.floors} floors`, ours <= target.floors * floor]);
  if (target.isBelow && peer !== undefined) parts.push(["below", ours < peer]);
  if (target.most !== undefined) parts.push([`≤ ${target.most}`, ours <= target.most]);
  if (parts.length === 0) return undefined;
  return { words: parts.map(([words]) => words).join(", "), isMet: parts.every(([, isMet]) => isMet) };
}
