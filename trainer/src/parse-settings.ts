// Reads settings against their schema, with errors that name the field and, for an unknown key, the nearest known one.
import { GenserveError, type Reason } from '@genserve/runtime';
import { z } from 'zod';
import { nearest } from './nearest.js';

/** Throws `reason` with the field below `prefix`, e.g. "training.batch". */
export function parseSettings<Settings>(
  schema: z.ZodType<Settings>,
  value: unknown,
  prefix: string,
  reason: Reason = 'CONFIGURATION_INVALID',
): Settings {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // A value that fits no branch of a union is best explained by the branch that it came furthest in.
  const issue = deepest(parsed.error.issues);
  const path = [...(prefix ? [prefix] : []), ...issue.path.map(String)];
  if (issue.code !== 'unrecognized_keys') {
    const field = path.join('.');
    throw new GenserveError(reason, `${field || 'settings'}: ${issue.message}`, { field });
  }
  const unknown = issue.keys[0]!;
  const field = [...path, unknown].join('.');
  const known = keysAt(schema, issue.path.map(String));
  const meant = nearest(unknown, known);
  throw new GenserveError(
    reason,
    `${field}: there is no such setting; ${meant ? `did you mean "${meant}"?` : `known are: ${known.join(', ')}`}`,
    { field },
  );
}

type Issue = z.core.$ZodIssue;

function deepest(issues: readonly Issue[]): Issue {
  const first = issues[0]!;
  if (first.code !== 'invalid_union') return first;
  const branches = first.errors.filter(branch => branch.length > 0).map(branch => deepest(branch));
  const best = branches.reduce<Issue | undefined>(
    (furthest, issue) =>
      furthest && furthest.path.length >= issue.path.length && issue.code !== 'unrecognized_keys' ? furthest : issue,
    undefined,
  );
  return best && (best.path.length > 0 || best.code === 'unrecognized_keys')
    ? { ...best, path: [...first.path, ...best.path] }
    : first;
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
}

/** Keys of the object that lies at `path` in a schema. */
function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  // What zod makes is JSON Schema, of which the members above are read.
  let nodes = [z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema];
  const open = (node: JsonSchema): JsonSchema[] => (node.anyOf ? node.anyOf.flatMap(open) : [node]);
  for (const step of path) {
    nodes = nodes.flatMap(open).flatMap(node => node.properties?.[step] ?? node.items ?? below(node));
  }
  return nodes.flatMap(open).flatMap(node => Object.keys(node.properties ?? {}));
}

/** What a record holds under every key. */
function below({ additionalProperties }: JsonSchema): JsonSchema[] {
  return typeof additionalProperties === 'object' ? [additionalProperties] : [];
}
