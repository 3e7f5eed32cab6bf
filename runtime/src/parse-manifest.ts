// Reads a manifest strictly: every field, then what fields say about each other.
import type { Manifest } from '@genserve/proto/manifest';
import { wrong } from './check.js';
import { checkReferences } from './references.js';
import { FORMAT, manifestSchema } from './schema.js';

/**
 * The manifest of parsed proto3 JSON. Throws BUNDLE_INVALID with the path of the field, e.g. "operations[0].inputs[1].dtype".
 */
export function parseManifest(json: unknown): Manifest {
  const format = (json as { format?: unknown } | null | undefined)?.format; // any JSON value has this or undefined
  if (typeof format === 'number' && format > FORMAT)
    throw wrong('format', `this bundle has format ${format}, newer than ${FORMAT}: a newer genserve reads it`);
  const result = manifestSchema(json, '');
  checkReferences(result);
  return result;
}
