/** What this process runs on. */

export interface Machine {
  readonly platform: string;
  readonly arch: string;
  libc(): Libc;
}

export type Libc = { family: "glibc"; version: string } | { family: "musl" } | { family: "other" };

export const thisMachine: Machine = {
  platform: process.platform,
  arch: process.arch,
  libc() {
    known ??= readLibc();
    return known;
  },
};

/** Making the report takes 5 to 20 ms. */
let known: Libc | undefined;

function readLibc(): Libc {
  if (process.platform !== "linux") return { family: "other" };
  const report: Report = process.report;
  const { excludeNetwork } = report;
  // Otherwise the report asks DNS for the name of every peer of every open socket, and waits for it.
  report.excludeNetwork = true;
  try {
    const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
    const version = header.glibcVersionRuntime;
    return version === undefined ? { family: "musl" } : { family: "glibc", version };
  } finally {
    report.excludeNetwork = excludeNetwork ?? false;
  }
}

/** `@types/node` 20 does not know the property, which Node has since 20.13. */
type Report = NonNullable<typeof process.report> & { excludeNetwork?: boolean };
