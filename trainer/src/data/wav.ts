// RIFF WAVE files: PCM of 8 to 32 bits and 32-bit floats, any number of channels.
import { open } from 'node:fs/promises';
import { invalid } from '@genserve/runtime';
import { readHead } from './files.js';

export interface WavFormat {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bits: number;
  readonly float: boolean;
  /** Of the samples in the file, bytes. */
  readonly start: number;
  /** Samples of one channel. */
  readonly samples: number;
}

/** Chunks before the samples are looked for in this many bytes. */
const headBytes = 65_536;
const pcm = 1;
const ieeeFloat = 3;
const extensible = 0xfffe;

/** Throws INVALID_ARGUMENT where the file is not a WAVE file of a known coding. */
export async function readWavFormat(path: string): Promise<WavFormat> {
  const head = await readHead(path, headBytes);
  const refuse = (message: string) => invalid('data', `${path} ${message}`);
  if (head.length < 12 || head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'WAVE') {
    throw refuse('is not a WAVE file (it must open with RIFF and WAVE)');
  }
  let format: Omit<WavFormat, 'start' | 'samples'> | undefined;
  for (let at = 12; at + 8 <= head.length; ) {
    const name = head.toString('latin1', at, at + 4);
    const size = head.readUInt32LE(at + 4);
    const body = at + 8;
    if (name === 'fmt ' && body + 16 <= head.length) {
      const tag = head.readUInt16LE(body);
      const coding = tag === extensible && size >= 26 ? head.readUInt16LE(body + 24) : tag;
      const bits = head.readUInt16LE(body + 14);
      const float = coding === ieeeFloat;
      if (!(coding === pcm && [8, 16, 24, 32].includes(bits)) && !(float && bits === 32)) {
        throw refuse(`has coding ${coding} of ${bits} bits; read are PCM of 8, 16, 24 and 32 bits and floats of 32`);
      }
      format = { channels: head.readUInt16LE(body + 2), sampleRate: head.readUInt32LE(body + 4), bits, float };
    }
    if (name === 'data' && format) {
      return { ...format, start: body, samples: Math.floor(size / (format.channels * (format.bits / 8))) };
    }
    at = body + size + (size % 2);
  }
  throw refuse('has no samples: a "fmt " and then a "data" chunk are needed');
}

/** Samples `from` ... `from + count - 1` in [-1, 1], the mean of the channels; 0 past the end. */
export async function readWavSamples(
  path: string,
  format: WavFormat,
  from: number,
  count: number,
): Promise<Float32Array> {
  const { channels, bits, float, start, samples } = format;
  const width = bits / 8;
  const frame = channels * width;
  const available = Math.max(0, Math.min(count, samples - from));
  const bytes = Buffer.alloc(available * frame);
  const file = await open(path);
  try {
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start + from * frame);
    if (bytesRead < bytes.length)
      throw invalid('data', `${path} was cut short: its samples end before its header says`);
  } finally {
    await file.close();
  }
  const result = new Float32Array(count);
  for (let i = 0; i < available; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      const at = i * frame + channel * width;
      if (float) sum += bytes.readFloatLE(at);
      else if (bits === 8) sum += (bytes[at]! - 128) / 128;
      else sum += bytes.readIntLE(at, width) / 2 ** (bits - 1);
    }
    result[i] = sum / channels;
  }
  return result;
}
