// The scalar types of proto3 JSON as schemas: what generated `fromJSON` would swallow silently is refused here, by field.
// One schema serves validation and the OpenAPI document.
import { z } from 'zod';

const decimal = (expected: string, pattern: RegExp) => z.string({ error: expected }).regex(pattern, expected);

function integerBetween(least: number, greatest: number, description: string) {
  const expected = `expected ${description}`;
  return z
    .union([z.number().int(expected).min(least, expected).max(greatest, expected), decimal(expected, /^-?\d+$/)], {
      error: expected,
    })
    .refine(value => Number(value) >= least && Number(value) <= greatest, expected)
    .meta({ type: 'integer', description });
}

export const int32 = () => integerBetween(-(2 ** 31), 2 ** 31 - 1, 'a 32-bit integer');
/** 64-bit integers are exact below 2^53 and refused beyond. */
export const uint64 = () => integerBetween(0, Number.MAX_SAFE_INTEGER, 'an integer from 0 to 2^53 - 1');

/** NaN and the infinities, which proto3 JSON writes as strings, are never a valid argument. */
export const double = () => {
  const expected = 'expected a finite number';
  return z
    .union([z.number(), decimal(expected, /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/)], { error: expected })
    .meta({ description: 'a finite number' });
};

export const bool = () => z.boolean({ error: 'expected true or false' });
export const string = () => z.string({ error: 'expected a string' });

export const bytes = () =>
  z
    .string({ error: 'expected base64' })
    .refine(isBase64, 'expected base64')
    .meta({ format: 'byte', description: 'base64' });

/** Standard or URL-safe alphabet; a whole-string pattern would recurse over megabytes. */
function isBase64(text: string): boolean {
  return text.length % 4 !== 1 && !/[^A-Za-z0-9+/_=-]/.test(text) && !/=[^=]/.test(text);
}

/** `repeated double`: checked by a plain loop, as there may be millions. */
export const doubles = () =>
  z
    .custom<unknown[]>(Array.isArray, { error: 'expected a list of numbers' })
    .check(context => {
      const index = context.value.findIndex(value => typeof value !== 'number' || !Number.isFinite(value));
      if (index < 0) return;
      context.issues.push({
        code: 'custom',
        path: [index],
        message: 'expected a finite number',
        input: context.value[index],
      });
    })
    .meta({ type: 'array', items: { type: 'number' } });

export const list = <Item extends z.ZodType>(item: Item) => z.array(item, { error: 'expected a list' });
export const mapOf = <Value extends z.ZodType>(value: Value) =>
  z.record(z.string(), value, { error: 'expected an object' });

/**
 * A message: all fields optional, none unknown. Fields are also taken under their .proto names (`first_index`), as
 * proto3 JSON asks of readers; those aliases carry `alias` so that documents can leave them out.
 */
export function message<Shape extends Record<string, z.ZodType>>(shape: Shape) {
  const fields: Record<string, z.ZodType> = {};
  for (const [name, field] of Object.entries(shape)) {
    fields[name] = field.nullish();
    const protoName = name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
    if (protoName !== name) fields[protoName] = field.nullish().meta({ alias: true });
  }
  return z.strictObject(fields, {
    error: issue =>
      issue.code === 'unrecognized_keys'
        ? `unknown field; known are ${Object.keys(shape).join(', ')}`
        : 'expected a JSON object',
  });
}
