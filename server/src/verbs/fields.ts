// The runtime names the arguments of its methods; callers of the service know the fields of their message.
import { GenserveError } from '@genserve/runtime';

/** From the runtime's name (its first part) to the message's path. */
export type FieldNames = Readonly<Record<string, string>>;

/** Runs `work`, and lets its errors speak of the message's fields. */
export async function namingFields<Result>(names: FieldNames, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw renamed(error, names);
  }
}

export async function* namingFieldsOf<Part>(names: FieldNames, parts: AsyncIterable<Part>): AsyncGenerator<Part> {
  try {
    yield* parts;
  } catch (error) {
    throw renamed(error, names);
  }
}

function renamed(error: unknown, names: FieldNames): unknown {
  if (!(error instanceof GenserveError) || error.field === undefined) return error;
  const { reason, field, message, retryAfterMs } = error;
  const [head = ''] = field.split(/[.[]/);
  const name = Object.hasOwn(names, head) ? names[head] : undefined;
  if (name === undefined) return error;
  const path = name + field.slice(head.length);
  const text = message.startsWith(`${field}:`) ? path + message.slice(field.length) : message;
  return new GenserveError(reason, text, { field: path, retryAfterMs, cause: error });
}

export const conditionFields = (path: string): FieldNames => ({
  label: `${path}.labels`,
  vector: `${path}.vectors`,
  attributes: `${path}.attributes`,
  text: `${path}.texts`,
});
