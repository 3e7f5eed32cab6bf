// Comma-separated values (RFC 4180): quotes, doubled quotes and line ends inside them; the first row names the columns.
import { invalid } from '@genserve/runtime';

export interface CsvTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Throws INVALID_ARGUMENT with the line where a row has more or fewer cells than the header. */
export function parseCsv(text: string, source: string): CsvTable {
  const separator = separatorOf(text);
  const records: string[][] = [];
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  const endCell = () => {
    cells.push(cell.trim());
    cell = '';
  };
  const endRecord = () => {
    endCell();
    if (cells.length > 1 || cells[0] !== '') records.push(cells);
    cells = [];
  };
  for (let i = text.charCodeAt(0) === 0xfeff ? 1 : 0; i < text.length; i++) {
    const character = text[i]!;
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') cell += text[i++];
      else quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === separator) endCell();
    else if (character === '\n') endRecord();
    else if (character !== '\r') cell += character;
  }
  if (quoted) throw invalid('data', `${source} ends inside a quoted cell`);
  if (cell !== '' || cells.length > 0) endRecord();
  const [header, ...rows] = records;
  if (!header) throw invalid('data', `${source} is empty`);
  rows.forEach((row, i) => {
    if (row.length !== header.length) {
      throw invalid('data', `${source}: row ${i + 2} has ${row.length} cells, the header has ${header.length}`);
    }
  });
  return { header, rows };
}

/** The one of comma, semicolon and tab that the first line has most of. */
function separatorOf(text: string): string {
  const first = text.slice(0, text.search(/\n|$/));
  const occurrences = (separator: string) => first.split(separator).length;
  return [',', ';', '\t'].reduce((best, next) => (occurrences(next) > occurrences(best) ? next : best));
}
