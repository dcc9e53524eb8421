import type { Expression } from "kysely";

/**
 * SQL text with values between its parts. What Kysely's `sql` tag makes, without importing Kysely: in a site that has
 * bundled it that would be a second copy, 20 MB of it.
 */
export function raw<Type>(sqlFragments: string[], ...values: unknown[]): Expression<Type> {
  const node = {
    kind: "RawNode",
    sqlFragments,
    parameters: values.map((value) => ({ kind: "ValueNode", value })),
  };
  return { expressionType: undefined, toOperationNode: () => node } as unknown as Expression<Type>;
}
