// A float32 graph with the weights of its float16 variant. The variant's own graphs begin with Cast, which is half a
// megabyte of WebAssembly in one function of onnxruntime, compiled in every visit: an eighth of what a start computes.
import type { Bytes, GraphFiles } from '@genserve/runtime';

/** `model` with `half`'s weights, as float32 where they are float16: both list the same weights in the same order. */
export function widen(model: Bytes, half: GraphFiles): GraphFiles {
  const [weights] = half.externalData;
  if (!weights) return half;
  const narrow = placesOf(half.model);
  const wide = placesOf(model);
  const data = new Uint8Array(Math.max(0, ...wide.map(([offset, length]) => offset + length)));
  wide.forEach(([offset, length], i) => {
    const [start, size] = narrow[i]!;
    const bytes = weights.data.slice(start, start + size);
    if (size === length) data.set(bytes, offset);
    else widenInto(new Float32Array(data.buffer, offset, length / 4), new Uint16Array(bytes.buffer));
  });
  return { model, externalData: [{ ...weights, data }] };
}

/** Finite float16 numbers, bit by bit: exponent and fraction move in place, and 2^112 is what the exponents' biases differ by. */
export function widenInto(target: Float32Array, halves: Uint16Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    bits[i] = (half & 0x7fff) << 13;
    target[i] = target[i]! * (half & 0x8000 ? -(2 ** 112) : 2 ** 112);
  }
}

/** [offset, bytes] in weights.bin of each initialiser that lies there, in order: ModelProto.graph.initializer.external_data. */
function placesOf(model: Uint8Array): [number, number][] {
  const initialisers = fieldsOf(model, 7).flatMap(graph => fieldsOf(graph, 5));
  const places = initialisers.map((initialiser): [number, number] => {
    const entries = fieldsOf(initialiser, 13).map(entry =>
      [1, 2].map(number => String.fromCharCode(...(fieldsOf(entry, number)[0] ?? []))),
    );
    const { offset, length }: Record<string, string> = Object.fromEntries(entries);
    return [Number(offset ?? 0), Number(length ?? 0)];
  });
  return places.filter(([, length]) => length > 0);
}

/** Contents of the fields of this number in a protobuf message whose fields are integers or have a length. */
function fieldsOf(message: Uint8Array, number: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const length = varint(); // the field itself, where it is an integer
    if ((tag & 7) !== 2) continue;
    if (tag >> 3 === number) found.push(message.subarray(at, at + length));
    at += length;
  }
  return found;
}
