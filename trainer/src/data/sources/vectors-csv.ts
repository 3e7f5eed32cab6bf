// CSV of numbers: each row a vector, one column optionally its class. Standardisation constants go to the domain.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { invalid } from '@genserve/runtime';
import { assemble, count } from '../assemble.js';
import { parseCsv } from '../csv.js';
import { look } from '../files.js';
import { sha256 } from '../hash.js';
import type { FormatSource } from '../source.js';
import { floatStore } from '../store.js';
import { vectorDomain } from '../vector-domain.js';

const labelNames = ['label', 'class', 'category', 'target'];

export const vectorsCsv: FormatSource = {
  name: 'csv',
  description:
    'CSV or TSV with a header: columns of numbers, and a class in the column "label" (or --set data.label=name)',
  async accepts(path) {
    return look(path)?.isFile() === true && /\.(csv|tsv)$/i.test(path);
  },
  async open(path, options) {
    const content = await readFile(path);
    const { header, rows } = parseCsv(content.toString('utf8'), path);
    const labelColumn = options.label
      ? header.indexOf(options.label)
      : header.findIndex(name => labelNames.includes(name.toLowerCase()));
    if (options.label && labelColumn < 0) {
      throw invalid('data.label', `${path} has no column "${options.label}"; its columns are ${header.join(', ')}`);
    }
    if (rows.length === 0) throw invalid('data', `${path} has a header and no rows`);
    const columns = header.map((_, column) => column).filter(column => column !== labelColumn);
    const values = new Float32Array(rows.length * columns.length);
    rows.forEach((row, i) => {
      columns.forEach((column, j) => {
        const value = row[column] === '' ? Number.NaN : Number(row[column]);
        if (!Number.isFinite(value)) {
          throw invalid('data', `${path}: row ${i + 2}, column "${header[column]}" is "${row[column]}", not a number`);
        }
        values[i * columns.length + j] = value;
      });
    });
    const classes =
      labelColumn < 0 ? [] : [...new Set(rows.map(row => row[labelColumn]!))].filter(name => name !== '').sort();
    const labels = labelColumn < 0 ? undefined : Int32Array.from(rows, row => classes.indexOf(row[labelColumn]!));
    return assemble(
      {
        name: basename(path).replace(/\.\w+$/, ''),
        domain: vectorDomain(
          values,
          columns.map(column => header[column]!),
          classes,
        ),
        train: floatStore(values, columns.length, labels),
        sha256: sha256(content),
        licence: 'unknown',
        attribution: '',
        summary: `${count(rows.length)} vectors of ${columns.length} numbers${classes.length > 0 ? ` in ${classes.length} classes` : ''}`,
      },
      options,
    );
  },
};
