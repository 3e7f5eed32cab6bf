import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openDataset } from '../open.js';

const root = mkdtempSync(join(tmpdir(), 'genserve-sequences-'));
afterAll(() => rmSync(root, { recursive: true }));

interface Wav {
  readonly rate?: number;
  readonly channels?: number;
  readonly bits?: number;
  readonly coding?: number;
}

/** A WAVE file with a chunk that nobody knows before its samples. */
function wav(samples: Buffer, { rate = 8000, channels = 1, bits = 16, coding = 1 }: Wav = {}): Buffer {
  const head = Buffer.alloc(12 + 8 + 16 + 8 + 4 + 8);
  head.write('RIFF', 0);
  head.writeUInt32LE(head.length - 8 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(coding, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt16LE((channels * bits) / 8, 32);
  head.writeUInt16LE(bits, 34);
  head.write('LIST', 36);
  head.writeUInt32LE(3, 40);
  head.write('data', 48);
  head.writeUInt32LE(samples.length, 52);
  return Buffer.concat([head, samples]);
}
const int16 = (...values: readonly number[]) => Buffer.from(Int16Array.from(values).buffer);
const ramp = (length: number) => int16(...Array.from({ length }, (_, i) => i));

describe('WAV', () => {
  it('cuts files into rows, pads the last and takes folders as classes', async () => {
    mkdirSync(join(root, 'sounds/up'), { recursive: true });
    mkdirSync(join(root, 'sounds/down'), { recursive: true });
    writeFileSync(join(root, 'sounds/up/a.wav'), wav(ramp(27)));
    writeFileSync(join(root, 'sounds/up/b.wav'), wav(ramp(24)));
    writeFileSync(join(root, 'sounds/down/c.wav'), wav(int16(32767, -32768)));
    const dataset = await openDataset(join(root, 'sounds'), { length: 10 });
    expect(dataset.domain.audio).toEqual({
      ...{ samples: 10, sampleRate: 8000, levels: 0, coding: 'linear' },
      labels: ['down', 'up'],
    });
    const names = Array.from({ length: 6 }, (_, row) => dataset.all.nameOf?.(row));
    expect(names).toEqual(['down/c.wav@0', 'up/a.wav@0', 'up/a.wav@10', 'up/a.wav@20', 'up/b.wav@0', 'up/b.wav@10']);
    const { data, labels } = await dataset.all.read([0, 3]);
    expect([...labels!]).toEqual([0, 1]);
    expect([...data.slice(0, 3)]).toEqual([Math.fround(32767 / 32768), -1, 0]);
    expect([...data.slice(10)]).toEqual([20, 21, 22, 23, 24, 25, 26, 0, 0, 0].map(k => k / 32768));
  });

  it.each([
    ['8 bits', { bits: 8 }, Buffer.from([128, 255, 0]), [0, 127 / 128, -1]],
    ['24 bits', { bits: 24 }, Buffer.from([0, 0, 64, 0, 0, 128, 0, 0, 0]), [0.5, -1, 0]],
    ['32-bit floats', { bits: 32, coding: 3 }, Buffer.from(Float32Array.of(0.25, -0.5, 1).buffer), [0.25, -0.5, 1]],
    ['two channels', { channels: 2 }, int16(16384, 0, -16384, -16384, 0, 8192), [0.25, -0.5, 0.125]],
  ])('reads %s', async (name, format, bytes, expected) => {
    const path = join(root, `${name}.wav`);
    writeFileSync(path, wav(Buffer.concat([bytes, bytes, bytes]), format));
    const { all } = await openDataset(path, { length: 3 });
    expect([...(await all.read([1])).data]).toEqual(expected.map(Math.fround));
  });

  it('refuses other codings, other rates and files that were cut short', async () => {
    const path = join(root, 'coded.wav');
    writeFileSync(path, wav(ramp(9), { coding: 7, bits: 8 }));
    await expect(openDataset(path)).rejects.toThrow('coding 7 of 8 bits');
    writeFileSync(path, wav(ramp(90), { rate: 44100 }));
    await expect(openDataset(path, { sampleRate: 8000 })).rejects.toThrow('44100 samples a second, not 8000');
    writeFileSync(path, wav(ramp(90)).subarray(0, -10));
    const { all } = await openDataset(path, { length: 30 });
    await expect(all.read([2])).rejects.toThrow('cut short');
  });
});

describe('text', () => {
  const read = async (name: string, text: string, length?: number) => {
    const path = join(root, name);
    writeFileSync(path, text);
    const dataset = await openDataset(path, length === undefined ? {} : { length });
    const { vocabulary, length: width } = dataset.domain.text!;
    const { data } = await dataset.all.read(Array.from({ length: dataset.all.count }, (_, i) => i));
    const rows = Array.from({ length: dataset.all.count }, (_, i) =>
      [...data.slice(i * width, (i + 1) * width)].map(code => vocabulary[code]!).join(''),
    );
    return { rows, summary: dataset.summary, vocabulary };
  };

  it('takes short lines as rows, padded behind', async () => {
    const { rows, summary, vocabulary } = await read('words.txt', 'éclair\nzoo\r\n\ntree\n');
    expect(rows).toEqual(['éclair', 'zoo', 'tree']);
    expect(vocabulary[0]).toBe('');
    expect(summary).toBe('3 lines of up to 6 characters, 10 different ones');
  });
  it('takes what lies between lines with a percent sign as rows', async () => {
    const { rows } = await read('fortunes.txt', 'one\ntwo\n%\nthree 100%\n%\nfour\n');
    expect(rows).toEqual(['one\ntwo', 'three 100%', 'four']);
  });
  it('cuts prose into windows that give the text again', async () => {
    const prose = `${'All happy families are alike; each unhappy one is unhappy in its own way. '.repeat(5)}\nThe end.`;
    const { rows } = await read('prose.txt', prose, 50);
    expect(rows.join('')).toBe(prose);
    expect(rows[0]).toHaveLength(50);
  });
  it('refuses nothing', async () => {
    await expect(read('empty.txt', '\n')).rejects.toThrow('is empty');
  });
});
