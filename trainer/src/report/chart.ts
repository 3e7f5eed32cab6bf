// Line charts as inline SVG, coloured by the page's own style.

import type { Point } from './history.js';
import { escapeHtml } from './html.js';

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Few points that are worth a dot each. */
  readonly dots?: boolean;
}

/** Drawing sizes, near to those on the page, so that letters and lines come out alike in all charts. */
const sizes = {
  wide: { width: 1040, height: 280 },
  half: { width: 505, height: 190 },
  third: { width: 325, height: 180 },
};
export type ChartSize = keyof typeof sizes;
const margin = { left: 52, right: 14, top: 12, bottom: 28 };
/** More points than this are averaged: a pixel column shows no more. */
const greatestPoints = 400;

/** All series over one axis of steps. What lies above the 97th percentile (a run's first steps) is cut off. */
export function chart(title: string, series: readonly Series[], size: ChartSize): string {
  const { width, height } = sizes[size];
  const shown = series.filter(({ points }) => points.length > 0);
  const values = shown.flatMap(({ points }) => points.map(({ value }) => value)).sort((a, b) => a - b);
  if (values.length === 0) return '';
  const lowest = values[0]!;
  const highest = values[Math.ceil(0.97 * (values.length - 1))]!;
  const room = (highest - lowest || Math.abs(highest) || 1) * 0.06;
  const range = { from: lowest - room, to: highest + room };
  const lastStep = Math.max(1, ...shown.map(({ points }) => points.at(-1)!.step));
  const x = (step: number) => margin.left + (step / lastStep) * (width - margin.left - margin.right);
  const y = (value: number) =>
    height - margin.bottom - ((value - range.from) / (range.to - range.from)) * (height - margin.top - margin.bottom);
  const place = ({ step, value }: Point) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`;
  const clip = `clip-${title.replaceAll(/\W+/g, '-')}`;

  const grid = ticks(range.from, range.to).map(
    tick =>
      `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${y(tick)}" y2="${y(tick)}"/>` +
      `<text x="${margin.left - 8}" y="${y(tick) + 4}" text-anchor="end">${label(tick)}</text>`,
  );
  const steps = ticks(0, lastStep).map(
    tick => `<text x="${x(tick)}" y="${height - 10}" text-anchor="middle">${label(tick)}</text>`,
  );
  const lines = shown.map(({ name, points, dots }, index) => {
    const kept = thin(points);
    const last = points.at(-1)!;
    const marks = dots
      ? kept.map(point => `<circle cx="${x(point.step).toFixed(1)}" cy="${y(point.value).toFixed(1)}" r="3"/>`).join('')
      : '';
    const tip = `${escapeHtml(name)}: ${label(last.value)} at step ${label(last.step)}`;
    return `<g class="series s${index % 4}"><title>${tip}</title><polyline points="${kept.map(place).join(' ')}"/>${marks}</g>`;
  });
  const legend = shown.map(
    ({ name, points }, index) =>
      `<span class="s${index % 4}"><i></i>${escapeHtml(name)} <b>${label(points.at(-1)!.value)}</b></span>`,
  );
  return (
    `<figure class="${size}"><figcaption>${escapeHtml(title)}<span class="legend">${legend.join('')}</span></figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)} over steps">` +
    `<clipPath id="${clip}"><rect x="${margin.left}" y="${margin.top}" width="${width - margin.left - margin.right}" ` +
    `height="${height - margin.top - margin.bottom}"/></clipPath>` +
    `${grid.join('')}${steps.join('')}<g clip-path="url(#${clip})">${lines.join('')}</g></svg></figure>`
  );
}

/** Means of equal parts, each at its last step, so that the line ends where the series does. */
function thin(points: readonly Point[]): readonly Point[] {
  if (points.length <= greatestPoints) return points;
  const size = points.length / greatestPoints;
  return Array.from({ length: greatestPoints }, (_, i) => {
    const part = points.slice(Math.floor(i * size), Math.max(Math.floor((i + 1) * size), Math.floor(i * size) + 1));
    return { step: part.at(-1)!.step, value: part.reduce((sum, { value }) => sum + value, 0) / part.length };
  });
}

/** Four to seven round numbers between two others. */
export function ticks(from: number, to: number): number[] {
  const rough = (to - from) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough)!;
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  return Array.from({ length: count }, (_, i) => (first + i) * step);
}

function label(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 1 ? 2 : 4;
  return Number(value.toFixed(digits)).toLocaleString('en-US', { maximumFractionDigits: digits });
}
