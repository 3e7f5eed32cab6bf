// Checks of a request's sizes before any work is done for it.
import { invalid } from '@genserve/runtime';
import type { Limits } from '../options.js';

/** Rows times draws that one request may ask for. */
export const greatestEvaluations = 1_000_000;

/** The count of a message, where 0 stands for 1. */
export function readCount(count: number, limits: Limits, field = 'count'): number {
  if (count === 0) return 1;
  if (count < 0 || count > limits.maxCount) {
    throw invalid(field, `must be from 1 to ${limits.maxCount} (this server's limit), was ${count}`);
  }
  return count;
}

/** The draws of a message for so many rows, where 0 stands for the default. */
export function readDraws(draws: number, rows: number, limits: Limits): number | undefined {
  if (draws === 0) return undefined;
  if (draws < 0 || draws > limits.maxDraws) {
    throw invalid('draws', `must be from 1 to ${limits.maxDraws} (this server's limit), was ${draws}`);
  }
  if (draws * rows > greatestEvaluations) {
    throw invalid('draws', `times rows must not exceed ${greatestEvaluations}, was ${draws} x ${rows}`);
  }
  return draws;
}
