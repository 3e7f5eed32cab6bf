// Sounds: WAV files, one or a folder, cut into rows of equal length; subfolders are classes.
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { invalid } from '@genserve/runtime';
import { assemble, count } from '../assemble.js';
import { anyFileBelow, filesBelow, hashFiles, look } from '../files.js';
import type { FormatSource } from '../source.js';
import { readWavFormat, readWavSamples, type WavFormat } from '../wav.js';

const wavName = /\.wav$/i;

interface Window {
  readonly path: string;
  readonly format: WavFormat;
  readonly from: number;
}

export const wavFolder: FormatSource = {
  name: 'wav',
  description:
    'WAV file, or a folder of them (a class per subfolder), cut into rows of --set data.length=<samples>; one second when absent',
  async accepts(path) {
    return look(path)?.isDirectory() ? anyFileBelow(path, wavName) : wavName.test(path);
  },
  async open(path, options) {
    const single = (await stat(path)).isFile();
    const folder = single ? dirname(path) : path;
    const paths = single ? [basename(path)] : await filesBelow(path, wavName);
    const windows: Window[] = [];
    let sampleRate = options.sampleRate;
    for (const file of paths) {
      const format = await readWavFormat(join(folder, file));
      sampleRate ??= format.sampleRate;
      if (format.sampleRate !== sampleRate) {
        throw invalid(
          'data',
          `${file} has ${format.sampleRate} samples a second, not ${sampleRate}; resample it first`,
        );
      }
      const length = options.length ?? sampleRate;
      // A last part of less than half a row would be mostly silence; a short file is kept, padded.
      const rows = Math.max(1, Math.round(format.samples / length));
      for (let i = 0; i < rows; i++) windows.push({ path: file, format, from: i * length });
    }
    const length = options.length ?? sampleRate!; // there is at least one file
    const classOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');
    const classes = single ? [] : [...new Set(paths.map(classOf))].filter(name => name !== '').sort();
    const labels = Int32Array.from(windows, window => classes.indexOf(classOf(window.path)));
    return assemble(
      {
        name: basename(path).replace(wavName, ''),
        domain: {
          audio: { samples: length, sampleRate: sampleRate!, levels: 0, coding: 'linear', labels: classes },
        },
        train: {
          count: windows.length,
          ...(classes.length > 0 && { labels }),
          nameOf: row => `${windows[row]!.path}@${windows[row]!.from}`,
          async read(indices) {
            const data = new Float32Array(indices.length * length);
            for (const [row, index] of indices.entries()) {
              const { path: file, format, from } = windows[index]!;
              data.set(await readWavSamples(join(folder, file), format, from, length), row * length);
            }
            return { data, ...(classes.length > 0 && { labels: Int32Array.from(indices, i => labels[i]!) }) };
          },
        },
        sha256: await hashFiles(folder, paths),
        licence: 'unknown',
        attribution: '',
        summary:
          `${count(windows.length)} rows of ${count(length)} samples at ${count(sampleRate!)} Hz from ${count(paths.length)} files` +
          (classes.length > 0 ? ` in ${classes.length} classes` : ', unlabelled'),
      },
      options,
    );
  },
};
