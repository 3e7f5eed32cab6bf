// Reads the server's proto3 JSON, in which a field at its default may be absent.
import { GenserveError } from '@genserve/runtime';

/** A JSON object whose fields are still to be checked. */
export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GenserveError('INTERNAL', 'the answer is not what a genserve server sends: is the address right?');
  }
  return value as Fields; // what is left of `unknown`: an object with string keys
}

/** 64-bit integers may be strings of digits; NaN and the infinities always are strings. */
export function numberOf(fields: Fields, name: string): number {
  return Number(fields[name] ?? 0);
}

export function listOf(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : [];
}

export function mapOf<T>(fields: Fields, name: string, read: (value: unknown, field: string) => T): Record<string, T> {
  const entries = Object.entries(fieldsOf(fields[name] ?? {}));
  return Object.fromEntries(entries.map(([key, value]) => [key, read(value, `${name}.${key}`)]));
}
