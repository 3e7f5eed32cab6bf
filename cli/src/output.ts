// What the commands say: results to standard output, everything else to standard error.
import { cpus, totalmem } from 'node:os';
import { styleText } from 'node:util';

/** One line for people, on standard error. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function warn(text: string): void {
  say(warning(text));
}

export function warning(text: string): string {
  return paint('yellow', `warning: ${text}`);
}

type Style = Parameters<typeof styleText>[0];

/** Styled where standard error is a terminal that shows colours. */
export function paint(style: Style, text: string): string {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  const coloured = FORCE_COLOR ? FORCE_COLOR !== '0' : process.stderr.isTTY && !NO_COLOR;
  return coloured ? styleText(style, text) : text;
}

/** Text that is the result of a command. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export interface Figures {
  /** By dotted name, e.g. nll_nats, bits_per_dim. */
  readonly metrics: Readonly<Record<string, number>>;
  /** What they were measured with: seeds, counts, versions. */
  readonly context: Readonly<Record<string, unknown>>;
}

/** The one object of `--json`, with the machine added to its context. */
export function printFigures({ metrics, context }: Figures): void {
  print(JSON.stringify({ metrics, context: { ...context, machine: machine() } }, null, 2));
}

export function machine(): Record<string, unknown> {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memory_bytes: totalmem(),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
  };
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = header.map((_, i) => rows.length > 0 && rows.every(row => /^[-+]?[\d.,]*[%x]?$/.test(row[i] ?? '')));
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map(row => (row[i] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map(width => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/** 613665 -> "613,665". */
export function integer(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function bytes(value: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return power === 0
    ? `${value} bytes`
    : `${(value / 1000 ** power).toFixed(value / 1000 ** power < 10 ? 1 : 0)} ${units[power]}`;
}

/** 3723 -> "1:02:03", 63 -> "1:03". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
