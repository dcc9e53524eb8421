/** Queries whose SQL text is made once for each database. */
import type { Compilable, CompiledQuery, QueryResult } from "kysely";
import type { Database } from "./operation.js";

/**
 * Building and compiling a query costs as much as SQLite takes to run it (measured: an upsert 129 µs, prepared 73 µs).
 * `build` gets placeholders in place of the arguments; it must use them as values and look at nothing of them.
 */
export function prepared<Named extends Record<string, string | number>, Row>(
  build: (db: Database, args: Named) => Compilable<Row>,
): (db: Database, args: Named) => Promise<QueryResult<Row>> {
  const compiled = new WeakMap<Database, CompiledQuery<Row>>();
  return (db, args) => {
    let query = compiled.get(db);
    if (query === undefined) {
      query = build(db, placeholders(args)).compile();
      compiled.set(db, query);
    }
    const parameters = query.parameters.map((value) =>
      value instanceof Placeholder ? args[value.name] : value,
    );
    return db.executeQuery({ ...query, parameters });
  };
}

class Placeholder {
  constructor(readonly name: string) {}
}

function placeholders<Named extends Record<string, string | number>>(args: Named): Named {
  const entries = Object.keys(args).map((name) => [name, new Placeholder(name)]);
  // Kysely carries a value to `parameters` as it is; that these are neither strings nor numbers is seen by nobody but `prepared`.
  return Object.fromEntries(entries) as Named;
}
