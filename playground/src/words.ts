// Figures as people say them.
import type { AnomalyScore, Manifest } from '@genserve/sdk';

const NOUNS: Readonly<Record<string, string>> = { mnist: 'digits', 'fashion-mnist': 'garments' };

/** What the model was trained on, as a plural noun. */
export function nounOf(manifest: Manifest): string {
  return NOUNS[manifest.provenance?.dataset ?? ''] ?? (manifest.domain?.image ? 'pictures' : 'data');
}

/** Share of normal data that are less unusual, in per cent; cut off, never rounded up to 100. */
export function rarerThan(pValue: number): string {
  const percent = (1 - pValue) * 100;
  const digits = percent > 99.9 ? 2 : percent > 99 ? 1 : 0;
  // A nudge of 1e-9 keeps 0.97 from being cut to 96.
  const cut = Math.floor(percent * 10 ** digits + 1e-9) / 10 ** digits;
  return `${Math.max(0, cut).toFixed(digits)} %`;
}

/** The value of a score: some are in hundreds of bits, some are shares of one. */
export function figure(value: number): string {
  return Math.abs(value) < 100 ? value.toPrecision(3) : value.toFixed(1);
}

/** The verdict in a sentence. */
export function verdict({ pValue, decision }: AnomalyScore, noun: string): string {
  if (pValue === undefined) return 'This model was not calibrated, so that its score has no scale.';
  const share = rarerThan(pValue);
  if (decision === 'anomalous') return `Anomalous: rarer than ${share} of normal ${noun}.`;
  if (decision === 'unsure') return `Rarer than ${share} of normal ${noun}: too close to call.`;
  return pValue > 0.5
    ? `Normal: rarer than only ${share} of normal ${noun}.`
    : `Normal: rarer than ${share} of normal ${noun}.`;
}

/** One of several scores in a few words, its p-value among them. */
export function inWords(score: AnomalyScore, noun: string): string {
  if (score.pValue === undefined) return 'not calibrated';
  return `rarer than ${rarerThan(score.pValue)} of normal ${noun} (p = ${score.pValue.toPrecision(2)}): ${score.decision}`;
}

export function milliseconds(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

export function bytes(count: number): string {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} kB`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} MB`;
}

export function largeNumber(count: number): string {
  if (count < 1e4) return String(count);
  if (count < 1e6) return `${Math.round(count / 1e3)} k`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} M`;
}
