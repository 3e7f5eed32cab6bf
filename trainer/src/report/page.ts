// The page of a run: one self-contained file, to look at and to send.
import type { Budget } from '../train/callbacks.js';
import type { RunRecord } from '../train/run-folder.js';
import { type ChartSize, chart, type Series } from './chart.js';
import type { History } from './history.js';
import { definitionTable, escapeHtml } from './html.js';
import { style } from './style.js';

export interface Sheet {
  readonly step: number;
  readonly png: Uint8Array;
}

export function reportPage(record: RunRecord, history: History, sheets: readonly Sheet[]): string {
  const { family, preset, data, id, created } = record;
  const state = history.finished ? 'finished' : 'unfinished';
  const title = `${id}: ${family} on ${data.name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escapeHtml(id)}</h1>
<p>${escapeHtml(family)} (${escapeHtml(preset)}) on ${escapeHtml(data.name)}, ${escapeHtml(created.slice(0, 10))}<span class="state ${state}">${state}</span></p>
</header>
<main>
${figures(history)}
${warnings(history)}
<section class="charts">${charts(history)}</section>
${sampleSection(sheets)}
<section class="columns">
<div><h2>Configuration</h2>${definitionTable(flatten(record.configuration))}</div>
<div><h2>Training</h2>${definitionTable(flatten(record.training).filter(isOn))}</div>
<div><h2>Run</h2>${definitionTable(runRows(record, history))}</div>
</section>
</main>
<footer>${escapeHtml(record.command)}</footer>
</body>
</html>
`;
}

function figures({ evaluation, step, seconds, parameters, imagesPerSecond }: History): string {
  const number = (value: number, digits = 0) => value.toLocaleString('en-US', { maximumFractionDigits: digits });
  const last = (name: string) => evaluation.get(name)?.at(-1)?.value;
  const heldOut = [...evaluation.keys()]
    .filter(name => !name.endsWith(ERROR))
    .map(name => {
      const error = last(`${name}${ERROR}`);
      return [
        `${pretty(name)}, held out`,
        number(last(name)!, 2) + (error === undefined ? '' : ` ± ${number(error, 2)}`),
      ];
    });
  const cards = [
    ...heldOut,
    ['steps', number(step)],
    ['training time', time(seconds)],
    ['images per second', number(imagesPerSecond)],
    ['parameters', number(parameters)],
    ['of weights', bytes(4 * parameters)],
  ];
  const items = cards.map(([name, value]) => `<li><b>${escapeHtml(value!)}</b>${escapeHtml(name!)}</li>`);
  return `<ul class="figures">${items.join('')}</ul>`;
}

function warnings({ warnings: list }: History): string {
  return list.length === 0 ? '' : `<aside>${list.map(text => `<p>${escapeHtml(text)}</p>`).join('')}</aside>`;
}

/** The loss beside the likelihood of held-out data, then a smaller chart for each other figure and for the learning rate. */
function charts({ training, learningRate, evaluation }: History): string {
  const heldOut = new Map([...evaluation].filter(([name]) => !name.endsWith(ERROR)));
  const likelihood = heldOut.get(LIKELIHOOD);
  const losses: Series[] = [...training]
    .filter(([name]) => ownName(name) === 'loss')
    .map(([name, points]) => ({ name: `${pretty(name)} (training)`, points }));
  if (likelihood) losses.push({ name: `${pretty(LIKELIHOOD)} (held out)`, points: likelihood, dots: true });
  heldOut.delete(LIKELIHOOD);

  const others: [string, Series[]][] = [];
  for (const [name, points] of training) {
    const same = heldOut.get(ownName(name));
    if (ownName(name) === 'loss') continue;
    others.push([name, same ? [{ name: 'training', points }, asHeldOut(same)] : [{ name: '', points }]]);
    heldOut.delete(ownName(name));
  }
  for (const [name, points] of heldOut) others.push([name, [asHeldOut(points)]]);
  if (learningRate.length > 0) others.push(['learning rate', [{ name: '', points: learningRate }]]);
  return [
    chart('loss', losses, 'wide'),
    ...others.map(([name, series], i) => chart(pretty(name), series, sizeOf(i, others.length))),
  ].join('');
}

const LIKELIHOOD = 'nll_nats';
/** Of a figure whose name comes before it. */
const ERROR = '_standard_error';
/** "critic/loss" -> "loss". */
const ownName = (metric: string): string => metric.split('/').at(-1)!;
const asHeldOut = (points: Series['points']): Series => ({ name: 'held out', points, dots: true });

/** Rows of three; the last ones of two where three does not divide them, so that no row has a gap. */
function sizeOf(index: number, count: number): ChartSize {
  if (count === 1) return 'wide';
  const inPairs = [0, 4, 2][count % 3]!;
  return index < count - inPairs ? 'third' : 'half';
}

/** The newest large, earlier ones small, in the order in which they were made. */
function sampleSection(sheets: readonly Sheet[]): string {
  const newest = sheets.at(-1);
  if (!newest) return '';
  const image = ({ step, png }: Sheet) =>
    `<figure><img alt="samples at step ${step}" src="data:image/png;base64,${Buffer.from(png).toString('base64')}">` +
    `<figcaption>step ${step.toLocaleString('en-US')}</figcaption></figure>`;
  return (
    `<section><h2>Samples</h2><div class="samples"><div class="newest">${image(newest)}</div>` +
    `<div class="strip">${sheets.slice(0, -1).map(image).join('')}</div></div></section>`
  );
}

function runRows(
  { data, domain, seed, classifier, budget, versions }: RunRecord,
  { engine }: History,
): [string, unknown][] {
  const { labels, ...shape } = domain.image ?? { labels: undefined };
  return [
    ['data', data.spec ?? data.name],
    ...Object.entries(data)
      .filter(([key]) => !['spec', 'name'].includes(key))
      .map(([key, value]): [string, unknown] => {
        const short = key === 'sha256' ? `${String(value).slice(0, 16)} …` : value;
        return [`data ${key}`, isEmpty(value) ? undefined : short];
      }),
    ...Object.entries(domain.image ? shape : {}),
    ['classes', labels && labels.length > 0 ? labels.join(', ') : undefined],
    ['seed', seed],
    ['samples judged by', classifier && `${classifier.name}, sha256 ${classifier.sha256.slice(0, 16)} …`],
    ['budget', describeBudget(budget)],
    ['engine', engine],
    ...Object.entries(versions),
  ];
}

function describeBudget({ steps, minutes }: Budget): string {
  const time = minutes === undefined ? [] : [`${minutes} minutes`];
  return (steps === undefined ? time : [`${steps} steps`, ...time]).join(', at most ');
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** What is switched off says nothing of a run. */
function isOn([, value]: [string, unknown]): boolean {
  return value !== 0 && value !== false && !isEmpty(value);
}

/** {a: {b: 1}} -> [["a.b", 1]]. */
function flatten(value: unknown, prefix = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[prefix, value]];
  return Object.entries(value).flatMap(([key, below]) => flatten(below, prefix ? `${prefix}.${key}` : key));
}

/** "nll_nats" -> "nll nats", "negativeElbo" -> "negative elbo". */
function pretty(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
}

function bytes(count: number): string {
  return count < 1e5 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function time(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
