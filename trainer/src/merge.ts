// Settings laid over settings.

/** `override` laid over `base`, object by object; arrays and plain values replace. Changes neither. */
export function mergeObjects(base: object, override: object): Record<string, unknown> {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(override)) {
    const below = result[key];
    result[key] = isPlainObject(value) && isPlainObject(below) ? mergeObjects(below, value) : value;
  }
  return result;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
