// The datatypes of the Open Inference Protocol v2 as numbers: from raw little-endian bytes, and from lists of numbers.
import { invalid } from '@genserve/runtime';

/** Elements in row-major order, already known to be of their datatype. */
export type Elements = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | ArrayLike<number>;

interface DatatypeRow {
  readonly bytes: number;
  readonly kind: 'boolean' | 'integer' | 'float';
  readonly least: number;
  readonly greatest: number;
  /** @param buffer starts at an aligned address. */
  decode(buffer: ArrayBuffer): Elements;
}

const integer = (bytes: number, least: number, greatest: number, decode: DatatypeRow['decode']): DatatypeRow => ({
  bytes,
  kind: 'integer',
  least,
  greatest,
  decode,
});
const float = (bytes: number, greatest: number, decode: DatatypeRow['decode']): DatatypeRow => ({
  bytes,
  kind: 'float',
  least: -greatest,
  greatest,
  decode,
});

/** Greatest finite values: IEEE 754-2019, table 3.5; bfloat16 has the exponents of binary32 and 8 bits of significand. */
const greatestFloat16 = 65_504;
const greatestBfloat16 = (2 - 2 ** -7) * 2 ** 127;
const greatestFloat32 = (2 - 2 ** -23) * 2 ** 127;
/** 64-bit integers are taken where they are exact as JavaScript numbers. */
const exact = Number.MAX_SAFE_INTEGER;

export const datatypes = {
  BOOL: { bytes: 1, kind: 'boolean', least: 0, greatest: 1, decode: buffer => new Uint8Array(buffer) },
  UINT8: integer(1, 0, 2 ** 8 - 1, buffer => new Uint8Array(buffer)),
  UINT16: integer(2, 0, 2 ** 16 - 1, buffer => new Uint16Array(buffer)),
  UINT32: integer(4, 0, 2 ** 32 - 1, buffer => new Uint32Array(buffer)),
  UINT64: integer(8, 0, exact, buffer => Float64Array.from(new BigUint64Array(buffer), Number)),
  INT8: integer(1, -(2 ** 7), 2 ** 7 - 1, buffer => new Int8Array(buffer)),
  INT16: integer(2, -(2 ** 15), 2 ** 15 - 1, buffer => new Int16Array(buffer)),
  INT32: integer(4, -(2 ** 31), 2 ** 31 - 1, buffer => new Int32Array(buffer)),
  INT64: integer(8, -exact, exact, buffer => Float64Array.from(new BigInt64Array(buffer), Number)),
  FP16: float(2, greatestFloat16, buffer => Float32Array.from(new Uint16Array(buffer), fromFloat16)),
  BF16: float(2, greatestBfloat16, fromBfloat16),
  FP32: float(4, greatestFloat32, buffer => new Float32Array(buffer)),
  FP64: float(8, Number.MAX_VALUE, buffer => new Float64Array(buffer)),
} as const satisfies Record<string, DatatypeRow>;

export type Datatype = keyof typeof datatypes;

/** @throws INVALID_ARGUMENT for what is no datatype, and for BYTES: models take numbers. */
export function readDatatype(text: string, field: string): Datatype {
  if (Object.hasOwn(datatypes, text)) return text as Datatype; // its own keys
  const known = Object.keys(datatypes).join(', ');
  const why = text === 'BYTES' ? 'BYTES is not taken: models take numbers' : `was "${text}"`;
  throw invalid(field, `must be one of ${known}; ${why}`);
}

/** @throws INVALID_ARGUMENT where the bytes do not fill the shape, or an element is not of the datatype. */
export function elementsFromBytes(datatype: Datatype, length: number, raw: Uint8Array, field: string): Elements {
  const row: DatatypeRow = datatypes[datatype];
  if (raw.length !== length * row.bytes) {
    throw invalid(field, `must be ${length * row.bytes} bytes for ${length} x ${datatype}, were ${raw.length}`);
  }
  // A copy at an aligned start: messages give bytes at any offset.
  const elements = row.decode(Uint8Array.from(raw).buffer);
  const mayBeWrong = row.kind === 'boolean' || row.greatest === exact;
  if (mayBeWrong) checkElements(row, datatype, elements, field);
  return elements;
}

/** @throws INVALID_ARGUMENT likewise. Floats may be NaN and the infinities here; what they may be is the input's matter. */
export function elementsFromNumbers(
  datatype: Datatype,
  length: number,
  numbers: readonly number[],
  field: string,
): Elements {
  if (numbers.length !== length) {
    throw invalid(field, `must hold ${length} numbers for its shape, has ${numbers.length}`);
  }
  checkElements(datatypes[datatype], datatype, numbers, field);
  return numbers;
}

function checkElements(row: DatatypeRow, datatype: Datatype, elements: ArrayLike<number>, field: string): void {
  const { kind, least, greatest } = row;
  for (let i = 0; i < elements.length; i++) {
    const value = elements[i] ?? 0;
    if (kind === 'float' ? !(Math.abs(value) > greatest && Number.isFinite(value)) : isWithin(value, least, greatest))
      continue;
    const what = kind === 'float' ? 'numbers' : 'integers';
    throw invalid(field, `must hold ${what} from ${least} to ${greatest} for ${datatype}, has ${value}`);
  }
}

function isWithin(value: number, least: number, greatest: number): boolean {
  return Number.isInteger(value) && value >= least && value <= greatest;
}

/** IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of significand. */
function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of a float32. */
function fromBfloat16(buffer: ArrayBuffer): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(new Uint16Array(buffer), bits => bits << 16).buffer);
}
