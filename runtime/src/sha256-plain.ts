// SHA-256 (FIPS 180-4) in plain code, for pages without Web Crypto.

/** First 32 bits of the fractional part. */
const fraction = (root: number) => (root % 1) * 2 ** 32;

const rotate = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits));

/** The 32 bytes of the digest. */
export function digestPlain(bytes: Uint8Array): Uint8Array {
  // Sections 4.2.2 and 5.3.3: cube roots of the first 64 primes, square roots of the first 8.
  const primes: number[] = [];
  for (let candidate = 2; primes.length < 64; candidate++)
    if (primes.every(prime => candidate % prime)) primes.push(candidate);
  const constants = Uint32Array.from(primes, prime => fraction(Math.cbrt(prime)));
  const state = Uint32Array.from(primes.slice(0, 8), prime => fraction(Math.sqrt(prime)));

  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, bytes.length / 2 ** 29);
  view.setUint32(padded.length - 4, bytes.length * 8);
  const words = new Uint32Array(64);
  for (let offset = 0; offset < padded.length; offset += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(offset + i * 4);
    for (let i = 16; i < 64; i++) {
      const early = words[i - 15]!;
      const late = words[i - 2]!;
      const sigma0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
      const sigma1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
      words[i] = (words[i - 16]! + sigma0 + words[i - 7]! + sigma1) | 0;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let i = 0; i < 64; i++) {
      const first =
        (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[i]! + words[i]!) | 0;
      const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => {
      state[i] = state[i]! + word;
    });
  }
  // Big-endian words.
  return Uint8Array.from({ length: 32 }, (_, i) => state[i >> 2]! >>> (24 - (i & 3) * 8));
}
