// Checks JSON against a message's schema and says which field is wrong.
import { invalid } from '@genserve/runtime';
import type { z } from 'zod';

/** @throws INVALID_ARGUMENT with the path of the first wrong field; `body` for the message itself. */
export function validateJson(schema: z.ZodType, json: unknown): void {
  const result = schema.safeParse(json, { reportInput: true });
  if (result.success) return;
  const [issue] = result.error.issues;
  const path = [...(issue?.path ?? [])];
  if (issue?.code === 'unrecognized_keys') path.push(issue.keys[0] ?? '');
  throw invalid(pathText(path) || 'body', `${issue?.message ?? 'is not valid'}${found(issue?.input)}`);
}

/** What stood there instead, where it is short enough to be read. */
function found(input: unknown): string {
  const text = typeof input === 'object' && input !== null ? undefined : JSON.stringify(input);
  return text === undefined || text.length > 40 ? '' : `, was ${text}`;
}

/** e.g. inputs.images[0] */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`))
    .join('');
}
