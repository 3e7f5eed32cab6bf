// Requests made wrong: valid ones, with bytes, fields and headers changed by a seeded generator.
import fc from 'fast-check';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What the byte-level and the structural changes begin with. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const oddValues: Json[] = [
  null,
  true,
  '',
  'NaN',
  'é\u0000\u{1f600}',
  '__proto__',
  'a'.repeat(5000),
  0,
  -1,
  1.5,
  1e308,
  -0,
  2 ** 31,
  2 ** 53,
  [],
  {},
  [[]],
  [null],
  { constructor: { prototype: 1 } },
];
const oddValue = fc.constantFrom(...oddValues);

/** One node of the tree replaced, removed, repeated or renamed, once to three times. */
export const mutatedJson = (json: Json): fc.Arbitrary<Json> =>
  fc
    .array(fc.record({ place: fc.nat(), kind: fc.nat(3), value: oddValue }), { minLength: 1, maxLength: 3 })
    .map(changes => changes.reduce<Json>((tree, change) => mutateNode(tree, change), json));

interface Change {
  readonly place: number;
  readonly kind: number;
  readonly value: Json;
}

function mutateNode(tree: Json, { place, kind, value }: Change): Json {
  const copy = structuredClone(tree);
  const holders: [Record<string, Json>, string][] = [];
  const visit = (node: Json): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      const holder = node as Record<string, Json>; // arrays are objects with keys
      holders.push([holder, key]);
      visit(holder[key] ?? null);
    }
  };
  visit(copy);
  const [holder, key] = holders[place % Math.max(1, holders.length)] ?? [];
  if (holder === undefined || key === undefined) return value;
  const old = holder[key] ?? null;
  if (kind === 1) delete holder[key];
  else if (kind === 2) holder[key] = [old, old];
  else if (kind === 3 && !Array.isArray(holder)) holder[`${key}X`] = old;
  else holder[key] = value;
  return copy;
}

/** Bytes flipped, cut out, doubled or put in. */
export const mutatedBytes = (bytes: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.record({ at: fc.nat(), kind: fc.nat(3), byte: fc.nat(255), length: fc.nat(64) }), {
      minLength: 1,
      maxLength: 6,
    })
    .map(changes =>
      changes.reduce((old, { at, kind, byte, length }) => {
        const place = old.length === 0 ? 0 : at % old.length;
        const [before, after] = [old.subarray(0, place), old.subarray(place)];
        if (kind === 0) return Buffer.concat([before, Buffer.from([byte]), after.subarray(1)]);
        if (kind === 1) return Buffer.concat([before, after.subarray(length)]);
        if (kind === 2) return Buffer.concat([before, after.subarray(0, length), after]);
        return Buffer.concat([before, Buffer.alloc(length, byte), after]);
      }, bytes),
    );

const oddHeaders = fc.constantFrom<Record<string, string>>(
  {},
  { 'content-type': 'application/octet-stream' },
  { 'content-type': 'image/png' },
  { 'content-type': 'multipart/form-data; boundary=x' },
  { 'content-type': 'application/x-npy' },
  { 'content-type': 'text/plain' },
  { 'content-type': ';;;' },
  { 'content-encoding': 'gzip' },
  { 'content-encoding': 'deflate' },
  { 'inference-header-content-length': '0' },
  { 'inference-header-content-length': '17' },
  { 'inference-header-content-length': '1e3' },
  { accept: 'image/png' },
  { accept: 'application/x-ndjson' },
  { accept: 'application/x-genserve-frames' },
  { accept: 'text/html' },
  { accept: ',;q=' },
  { 'x-request-timeout': '-1' },
  { 'x-request-timeout': '0.0001' },
  { 'x-request-priority': 'first' },
  { 'x-request-id': 'a'.repeat(4000) },
  { traceparent: '00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff' },
  { range: 'bytes=9-3' },
  { authorization: 'Bearer x' },
);

const oddPaths = fc.constantFrom(
  '',
  '',
  '',
  '',
  '/',
  '/..',
  '/%2e%2e/%2e%2e/etc/passwd',
  '%00',
  '%E0%A4%A',
  '?seed=-1',
  '?count=1e9',
  '?__proto__=1',
  '?format=png',
  ':sample',
  '//',
);

const methods = fc.constantFrom('same', 'same', 'same', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH');

export interface Seed {
  readonly method: string;
  readonly path: string;
  readonly json?: Json;
  /** A body of another form. */
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One of the seeds, made wrong in body, headers, path or method. */
export function mutatedRequests(seeds: readonly Seed[]): fc.Arbitrary<HttpRequest> {
  return fc.constantFrom(...seeds).chain(({ method, path, json, bytes, headers }) => {
    const body =
      json === undefined
        ? mutatedBytes(bytes ?? Buffer.alloc(0))
        : fc.oneof(
            mutatedJson(json).map(tree => Buffer.from(JSON.stringify(tree))),
            mutatedBytes(Buffer.from(JSON.stringify(json))),
          );
    return fc.record({ body, extra: oddHeaders, tail: oddPaths, other: methods }).map(change => ({
      method: change.other === 'same' ? method : change.other,
      path: path + change.tail,
      headers: { 'content-type': 'application/json', ...headers, ...change.extra },
      body: change.body,
    }));
  });
}
