// Raw little-endian tensors as the Open Inference Protocol writes them, independent of the server's own reading.

export const datatypes = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'BF16',
  'FP32',
  'FP64',
] as const;
export type Datatype = (typeof datatypes)[number];

export const isFloat = (datatype: string) => /^(FP|BF)/.test(datatype);

/** Of the few values that the tests need, binary16 by hand: sign, 5 bits of exponent with bias 15, 10 of fraction. */
const float16: Readonly<Record<number, number>> = { 0: 0x0000, 0.5: 0x3800, 1: 0x3c00, 2: 0x4000 };

export function toRaw(datatype: string, values: readonly number[]): Buffer {
  const widths: Readonly<Record<string, number>> = {
    BOOL: 1,
    UINT8: 1,
    INT8: 1,
    UINT16: 2,
    INT16: 2,
    FP16: 2,
    BF16: 2,
  };
  const width = widths[datatype] ?? (datatype.endsWith('64') ? 8 : 4);
  const bytes = Buffer.alloc(width * values.length);
  values.forEach((value, i) => {
    const at = i * width;
    if (datatype === 'FP64') bytes.writeDoubleLE(value, at);
    else if (datatype === 'FP32') bytes.writeFloatLE(value, at);
    else if (datatype === 'FP16') bytes.writeUInt16LE(float16[value] ?? Number.NaN, at);
    else if (datatype === 'BF16') bytes.writeUInt16LE(upperHalf(value), at);
    else if (datatype === 'UINT64') bytes.writeBigUInt64LE(BigInt(value), at);
    else if (datatype === 'INT64') bytes.writeBigInt64LE(BigInt(value), at);
    else if (datatype.startsWith('INT')) bytes.writeIntLE(value, at, width);
    else bytes.writeUIntLE(value, at, width);
  });
  return bytes;
}

/** bfloat16 is the upper half of a float32. */
function upperHalf(value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes.readUInt16BE();
}

export function fromRaw(datatype: string, bytes: Buffer): number[] {
  const read = datatype === 'INT32' ? (at: number) => bytes.readInt32LE(at) : (at: number) => bytes.readFloatLE(at);
  return Array.from({ length: bytes.length / 4 }, (_, i) => read(4 * i));
}
