// The table that is printed.
import { ratioOf, verdict } from "./targets.mjs";

const TITLES = ["", "peer", "ours", "floor", "better by", "target"];
const WIDTHS = [30, 11, 11, 11, 11, 0];

/** A row's measures with the ratio to the peer, and the verdict where there is a target. */
export function lines(row, measures) {
  return Object.entries(measures).map(([measure, figures]) => {
    const ratio = ratioOf(measure, figures.peer, figures.ours);
    return { measure, ...figures, ratio, verdict: verdict(row, measure, { ...figures, ratio }) };
  });
}

export function table({ machine, database, rounds, rows }) {
  const out = [
    `${machine.processor}, ${machine.cores} cores, Node ${machine.node}, ${machine.date}; load average at the start ${machine.load.join(" ")}`,
    `medians of ${rounds} rounds, the site's database in ${database}`,
    "",
    cells(TITLES),
  ];
  for (const { title, measures } of rows) {
    out.push("", title);
    for (const { measure, peer, ours, floor, ratio, verdict } of measures) {
      const target = verdict ? `${verdict.isMet ? "✓" : "✗"} ${verdict.words}` : "";
      out.push(cells([`  ${measure}`, figure(peer), figure(ours), figure(floor), times(ratio), target]));
    }
  }
  const all = rows.flatMap(({ measures }) => measures.flatMap(({ verdict }) => verdict ?? []));
  out.push("", `${all.filter(({ isMet }) => isMet).length} of ${all.length} targets met`);
  return `${out.join("\n")}\n`;
}

function cells(texts) {
  const [first, ...others] = texts.map((text, at) =>
    at === 0 ? text.padEnd(WIDTHS[at]) : text.padStart(WIDTHS[at]),
  );
  const last = others.pop();
  return `${first}${others.join("")}  ${last}`.trimEnd();
}

export function figure(value) {
  if (value === undefined) return "";
  if (value === 0) return "0";
  return value.toLocaleString("en", {
    maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0,
  });
}

export function times(ratio) {
  if (ratio === undefined) return "";
  return `${figure(ratio)}×`;
}
