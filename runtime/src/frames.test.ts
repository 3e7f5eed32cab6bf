import { describe, expect, it } from 'vitest';
import { decodeBody, encodeBody, encodeFrame, FrameReader, splitBody } from './frames.js';

const message = {
  seed: 5,
  name: 'größe',
  samples: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, -2, 0.5, 1e-30) },
  list: [{ dtype: 'int32', shape: [1], data: Int32Array.of(-7) }, null, true],
  picture: { dtype: 'uint8', shape: [3], data: Uint8Array.of(1, 2, 255) },
};

/** A body with this head and this payload, without the encoder. */
function body(head: unknown, payload: Uint8Array = new Uint8Array(0)) {
  const text = Buffer.from(JSON.stringify(head));
  return { bytes: Buffer.concat([text, payload]), headLength: text.length };
}

describe('bodies', () => {
  it('carry a message and its tensors', () => {
    const { bytes, headLength } = encodeBody(message);
    expect(decodeBody(bytes, headLength)).toEqual(message);
  });

  it('are a JSON head that names each tensor, then raw little-endian numbers in that order', () => {
    const { bytes, headLength } = encodeBody(message);
    const head = JSON.parse(Buffer.from(bytes.subarray(0, headLength)).toString());
    expect(head.samples).toEqual({ dtype: 'float32', shape: [2, 2], binary_data_size: 16 });
    expect(headLength % 8).toBe(0);
    expect(Buffer.from(bytes).readFloatLE(headLength + 4)).toBe(-2);
    expect(Buffer.from(bytes).readInt32LE(headLength + 16)).toBe(-7);
    expect(bytes.length).toBe(headLength + 16 + 4 + 3);
  });

  it('are read from any offset, aligned or not', () => {
    const { bytes, headLength } = encodeBody(message);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeBody(shifted.subarray(3), headLength)).toEqual(message);
  });

  it('take a part of an array alone', () => {
    const whole = Float32Array.of(1, 2, 3, 4);
    const { bytes, headLength } = encodeBody({ x: { dtype: 'float32', shape: [2], data: whole.subarray(1, 3) } });
    expect(decodeBody(bytes, headLength)).toEqual({
      x: { dtype: 'float32', shape: [2], data: Float32Array.of(2, 3) },
    });
  });

  const tensor = { dtype: 'float32', shape: [2], binary_data_size: 8 };
  it.each([
    ['bytes that nothing names', body({}, new Uint8Array(1)), 'body', /1 bytes follow the head/],
    ['fewer bytes than named', body({ x: tensor }, new Uint8Array(4)), 'x', /needs 8 bytes where 4 are left/],
    [
      'more bytes than named',
      body({ x: tensor }, new Uint8Array(12)),
      'body',
      /12 bytes follow the head where its tensors take 8/,
    ],
    [
      'a size that is not the shape’s',
      body({ x: { ...tensor, shape: [3] } }, new Uint8Array(8)),
      'x.binary_data_size',
      /must be 12/,
    ],
    [
      'an unknown dtype',
      body({ a: [{ ...tensor, dtype: 'float64' }] }),
      'a[0].dtype',
      /must be float32, int32 or uint8/,
    ],
    ['a negative dimension', body({ x: { ...tensor, shape: [-2, -1] } }), 'x.shape', /integers of 0 or more/],
    ['a shape that is no list', body({ x: { ...tensor, shape: 2 } }), 'x.shape', /integers of 0 or more/],
  ])('refuse %s', (_what, { bytes, headLength }, field, text) => {
    const read = () => decodeBody(bytes, headLength);
    expect(read).toThrow(text);
    expect(read).toThrow(expect.objectContaining({ reason: 'INVALID_ARGUMENT', field }));
  });

  it.each([-1, 1.5, 100, Number.NaN])('refuse a head length of %d', headLength => {
    expect(() => splitBody(new Uint8Array(10), headLength)).toThrow(/Inference-Header-Content-Length: must be from 0/);
  });

  it('refuse a head that is not JSON', () => {
    expect(() => splitBody(Buffer.from('{"a":'), 5)).toThrow(/the first 5 bytes are not JSON/);
  });
});

describe('FrameReader', () => {
  const frames = [encodeFrame(message), encodeFrame({ done: true }), encodeFrame(message)];
  const stream = Buffer.concat(frames);

  it.each([1, 7, 64, stream.length])('finds the frames of a stream that arrives %d bytes at a time', size => {
    const reader = new FrameReader();
    const found: unknown[] = [];
    for (let i = 0; i < stream.length; i += size) found.push(...reader.push(stream.subarray(i, i + size)));
    expect(found).toEqual([message, { done: true }, message]);
    reader.end();
  });

  it('joins a large frame once, however many pieces it comes in', () => {
    const large = encodeFrame({ x: { dtype: 'uint8', shape: [8_000_000], data: new Uint8Array(8_000_000) } });
    const reader = new FrameReader();
    const start = performance.now();
    let found = 0;
    for (let i = 0; i < large.length; i += 1000) found += reader.push(large.subarray(i, i + 1000)).length;
    expect(found).toBe(1);
    // Joining at every piece would copy 32 GB.
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('refuses a frame above its limit before holding it', () => {
    const reader = new FrameReader(100);
    expect(() => reader.push(frames[0]!.subarray(0, 8))).toThrow(
      expect.objectContaining({ reason: 'PAYLOAD_TOO_LARGE' }),
    );
  });

  it('tells a stream that ended inside a frame', () => {
    const reader = new FrameReader();
    reader.push(frames[0]!.subarray(0, 20));
    expect(() => reader.end()).toThrow(/ends inside a frame, after 20/);
  });
});
