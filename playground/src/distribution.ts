// What normal data score, as a histogram, with the place of one score in it.
import type { AnomalyScore } from '@genserve/sdk';
import { figure } from './words.js';

export interface Histogram {
  /** Counts of bins of equal width from `least` to `greatest`. */
  readonly counts: readonly number[];
  readonly least: number;
  readonly greatest: number;
}

/** Of sorted scores; the rarest half per cent at either end is cut off, and the range reaches to `value`. */
export function histogramOf(sorted: ArrayLike<number>, value: number, bins: number): Histogram {
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? value;
  const [low, high] = [Math.min(at(0.005), value), Math.max(at(0.995), value)];
  const margin = (high - low || 1) * 0.03;
  const [least, greatest] = [low - margin, high + margin];
  const counts = new Array<number>(bins).fill(0);
  for (let i = 0; i < sorted.length; i++) {
    const bin = Math.floor((((sorted[i] ?? 0) - least) / (greatest - least)) * bins);
    if (bin >= 0 && bin < bins) counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { counts, least, greatest };
}

const WIDTH = 640;
const HEIGHT = 120;
const BINS = 64;

/** Draws it into `place`, where a screen reader finds it in words. */
export function showDistribution(place: HTMLElement, sorted: Float64Array, score: AnomalyScore, noun: string): void {
  const { counts, least, greatest } = histogramOf(sorted, score.value, BINS);
  const highest = Math.max(...counts);
  const x = (value: number) => ((value - least) / (greatest - least)) * WIDTH;
  const limit = sorted[Math.floor(0.95 * sorted.length)] ?? greatest;
  const bars = counts.map((count, bin) => {
    const height = (count / highest) * (HEIGHT - 12);
    return `<rect x="${(bin * WIDTH) / BINS + 0.5}" y="${HEIGHT - height}" width="${WIDTH / BINS - 1}" height="${height}" rx="1"/>`;
  });
  const label = `What ${sorted.length.toLocaleString('en')} normal ${noun} score, from ${figure(least)} to ${figure(greatest)} ${score.unit}; 95 % of them below ${figure(limit)}; yours scores ${figure(score.value)}`;
  // Numbers alone go in as markup; words are set as text.
  place.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img">
    <g class="bars">${bars.join('')}</g>
    ${lineAt(x(limit), 'limit')}${lineAt(x(score.value), 'yours')}
  </svg>
  <div class="distribution-ends" aria-hidden="true"><span></span><span><i class="key yours"></i>yours</span><span><i class="key limit"></i><b></b></span><span></span></div>`;
  place.querySelector('svg')?.setAttribute('aria-label', label);
  const spans = place.querySelectorAll('span');
  const [first, , , last] = spans;
  if (first && last) {
    first.textContent = `${figure(least)} ${score.unit}`;
    last.textContent = `${figure(greatest)} ${score.unit}`;
  }
  const key = place.querySelector('b');
  if (key) key.textContent = `95 % of normal ${noun} are below`;
}

function lineAt(x: number, className: string): string {
  return `<line class="${className}" x1="${x}" x2="${x}" y1="0" y2="${HEIGHT}" vector-effect="non-scaling-stroke"/>`;
}
