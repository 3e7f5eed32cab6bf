// Reads JSON strictly: small checks that compose, return the typed value, and name the field that is wrong.
// Absent and null give proto3's default (0, '', [], false), as proto3 JSON says; unknown fields are ignored, so that
// a format may gain optional ones.
import { GenserveError } from './errors.js';

export type Check<T> = (value: unknown, path: string) => T;

export function wrong(path: string, message: string): GenserveError {
  return new GenserveError('BUNDLE_INVALID', `${path}: ${message}`, { field: path });
}

const absent = (value: unknown): value is null | undefined => value === undefined || value === null;
const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80));

/** A string that matches; `expected` says what would be right. */
export const text =
  (pattern = /^/, expected = 'a string'): Check<string> =>
  (value, path) => {
    const result = absent(value) ? '' : value;
    if (typeof result !== 'string' || !pattern.test(result))
      throw wrong(path, `must be ${expected}, was ${show(value)}`);
    return result;
  };

export const oneOf = (words: readonly string[]): Check<string> => {
  const check: Check<string> = (value, path) => {
    if (typeof value !== 'string' || !words.includes(value))
      throw wrong(path, `must be one of ${words.join(', ')}; was ${show(value)}`);
    return value;
  };
  return check;
};

export const number: Check<number> = (value, path) => {
  const result = absent(value) ? 0 : value;
  if (typeof result !== 'number' || !Number.isFinite(result)) throw wrong(path, `must be a number, was ${show(value)}`);
  return result;
};

/** Proto3 JSON writes 64-bit integers as strings of digits, and other writers as numbers: both are read. */
export const integer =
  (least: number, greatest = Number.MAX_SAFE_INTEGER): Check<number> =>
  (value, path) => {
    const result = absent(value) ? 0 : typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
    if (typeof result !== 'number' || !Number.isSafeInteger(result) || result < least || result > greatest)
      throw wrong(path, `must be an integer from ${least} to ${greatest}, was ${show(value)}`);
    return result;
  };

export const flag: Check<boolean> = (value, path) => {
  if (!absent(value) && typeof value !== 'boolean') throw wrong(path, `must be true or false, was ${show(value)}`);
  return value === true;
};

export const optional =
  <T>(check: Check<T>): Check<T | undefined> =>
  (value, path) =>
    absent(value) ? undefined : check(value, path);

export const list =
  <T>(check: Check<T>): Check<T[]> =>
  (value, path) => {
    const result: unknown = absent(value) ? [] : value;
    if (!Array.isArray(result)) throw wrong(path, `must be a list, was ${show(value)}`);
    return result.map((item: unknown, index) => check(item, `${path}[${index}]`));
  };

function fieldsOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(path || 'manifest', `must be an object, was ${show(value)}`);
  return value as Record<string, unknown>; // what is left of `unknown`: an object with string keys
}

export const record =
  <T>(check: Check<T>): Check<{ [key: string]: T }> =>
  (value, path) =>
    Object.fromEntries(
      Object.entries(absent(value) ? {} : fieldsOf(value, path)).map(([key, item]) => [
        key,
        check(item, `${path}.${key}`),
      ]),
    );

export const object =
  <T extends object>(fields: { readonly [K in keyof T]-?: Check<T[K]> }): Check<T> =>
  (value, path) => {
    const given = fieldsOf(value, path);
    const result = {} as T; // every key is set below
    for (const key in fields) result[key] = fields[key](given[key], path ? `${path}.${key}` : key);
    return result;
  };
