// Text as rows of symbols: characters by number, 0 for the padding behind the end.
import type { Domain } from '@genserve/runtime';
import { invalid } from '@genserve/runtime';
import { floatStore, type Store } from './store.js';

/** More different characters than this are no alphabet. */
const greatestVocabulary = 4096;
const defaultWindow = 128;
/** Lines that are longer than this on average are prose, not entries. */
const longestEntry = 32;

export interface TextRows {
  readonly store: Store;
  readonly domain: Domain;
  /** "12 lines of up to 9 characters". */
  readonly summary: string;
}

/**
 * Entries where the text is made of them (separated by lines with "%", or short lines), windows of `length` characters
 * otherwise. Entries that are longer than `length` are cut. Throws INVALID_ARGUMENT for an empty text.
 */
export function textRows(text: string, length: number | undefined, source: string): TextRows {
  const normal = text.replaceAll('\r\n', '\n').normalize('NFC');
  const { rows, kind } = split(normal, length ?? defaultWindow);
  if (rows.length === 0) throw invalid('data', `${source} is empty`);
  const symbols = rows.map(row => [...row]);
  const longest = symbols.reduce((most, row) => Math.max(most, row.length), 0);
  const width = Math.min(length ?? longest, longest);
  const characters = [...new Set(symbols.flat())].sort();
  if (characters.length > greatestVocabulary) {
    throw invalid('data', `${source} has ${characters.length} different characters; ${greatestVocabulary} at most`);
  }
  const numbers = new Map(characters.map((character, i) => [character, i + 1]));
  const values = new Float32Array(rows.length * width);
  symbols.forEach((row, i) => {
    for (let j = 0; j < Math.min(width, row.length); j++) values[i * width + j] = numbers.get(row[j]!)!;
  });
  return {
    store: floatStore(values, width),
    domain: { text: { length: width, vocabulary: ['', ...characters], labels: [] } },
    summary: `${rows.length.toLocaleString('en-US')} ${kind} of up to ${width} characters, ${characters.length} different ones`,
  };
}

function split(text: string, window: number): { rows: string[]; kind: string } {
  if (text.trim() === '') return { rows: [], kind: '' };
  if (/^%$/m.test(text)) {
    const rows = text.split(/^%\n?/m).map(row => row.trimEnd());
    return { rows: rows.filter(row => row !== ''), kind: 'entries' };
  }
  const lines = text.split('\n').filter(line => line !== '');
  const mean = lines.reduce((sum, line) => sum + line.length, 0) / lines.length;
  if (mean <= longestEntry) return { rows: lines, kind: 'lines' };
  const characters = [...text];
  const rows: string[] = [];
  for (let from = 0; from < characters.length; from += window)
    rows.push(characters.slice(from, from + window).join(''));
  return { rows, kind: 'windows' };
}
