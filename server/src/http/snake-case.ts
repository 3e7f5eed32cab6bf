// The protocol's JSON names its fields as its .proto does: model_stats, not modelStats.

export function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [
    name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`),
    snakeCased(item),
  ]);
  return Object.fromEntries(entries);
}
