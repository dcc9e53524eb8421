// The chart of the README: how many times better than the peer, on a logarithmic scale.
import { times } from "./report.mjs";

/** What is shown, and under which name. */
const BARS = [
  ["noop", "p50 µs", "a hook: latency"],
  ["noop", "p99 µs", "a hook: latency, 99th percentile"],
  ["noop", "Node CPU µs", "a hook: Node's processor time"],
  ["noop32", "calls/s", "hooks a second, 32 at once"],
  ["large", "p50 µs", "a hook with an event of 100 KB"],
  ["pageView", "p50 µs", "a page view past ten plugins"],
  ["readsInARow", "p50 µs", "20 KV reads, one after another"],
  ["readsAtOnce", "p50 µs", "20 KV reads at once"],
  ["upload", "p50 µs", "upload of 5 MB: time"],
  ["upload", "Node CPU µs", "upload of 5 MB: Node's processor time"],
  ["fetch", "p50 µs", "fetch of 5 MB: time"],
  ["cold", "ms", "cold start to the first answer"],
  ["add", "ms", "adding a tenth plugin"],
];

const NAMES = 260;
const WIDTH = 760;
const BAR = 18;
const STEP = 28;
const TOP = 44;

export function chart({ machine, rounds, rows }) {
  const bars = BARS.flatMap(([id, measure, name]) => {
    const line = rows.find((row) => row.id === id)?.measures.find((line) => line.measure === measure);
    return line?.ratio === undefined ? [] : [{ name, ratio: line.ratio }];
  });
  const most = Math.max(10, ...bars.map(({ ratio }) => ratio));
  const scale = (ratio) => (Math.log10(Math.max(1, ratio)) / Math.log10(most)) * (WIDTH - NAMES - 90);
  const height = TOP + bars.length * STEP + 34;
  const shapes = bars.map(({ name, ratio }, at) => {
    const y = TOP + at * STEP;
    const middle = y + BAR / 2 + 4.5;
    return [
      `<text x="${NAMES - 10}" y="${middle}" text-anchor="end">${name}</text>`,
      `<rect x="${NAMES}" y="${y}" width="${Math.max(1, scale(ratio)).toFixed(1)}" height="${BAR}" rx="2" fill="#3b82a0"/>`,
      `<text x="${(NAMES + scale(ratio) + 8).toFixed(1)}" y="${middle}" font-weight="600">${times(ratio)}</text>`,
    ].join("\n  ");
  });
  const under = `medians of ${rounds} rounds in turn, ${machine.cores} cores, Node ${machine.node}, ${machine.date}; logarithmic`;
  // Both of a page's backgrounds: the chart brings its own.
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="How many times better than @emdash-cms/sandbox-workerd" font-family="system-ui, sans-serif" font-size="13" fill="#1f2933">
  <rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
  <text x="16" y="26" font-size="15" font-weight="600">How many times better than @emdash-cms/sandbox-workerd</text>
  ${shapes.join("\n  ")}
  <text x="16" y="${height - 12}" font-size="11" fill="#52606d">${under}</text>
</svg>
`;
}
