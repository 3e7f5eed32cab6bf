// What both parts of the OpenAPI document are made of.
import { z } from 'zod';

export type Json = Record<string, unknown>;

export const versionParameter = pathParameter('version', { type: 'integer', minimum: 1 });
export const binary: Json = { schema: { type: 'string', format: 'binary' } };

export function pathParameter(name: string, schema: Json): Json {
  return { name, in: 'path', required: true, schema };
}

/** Without the aliases of fields, and without the null that JSON may hold in place of an absent field. */
export function toJsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...document } = z.toJSONSchema(schema, {
    unrepresentable: 'any',
    io: 'input',
    override: ({ jsonSchema }) => {
      const { properties, anyOf } = jsonSchema;
      for (const [name, property] of Object.entries(properties ?? {})) {
        if (typeof property === 'object' && 'alias' in property) delete properties?.[name];
      }
      const [only, nothing] = anyOf ?? [];
      if (anyOf?.length !== 2 || only === undefined || nothing?.type !== 'null') return;
      delete jsonSchema.anyOf;
      Object.assign(jsonSchema, only);
    },
  });
  return document;
}
