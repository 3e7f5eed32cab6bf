import { REASONS } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { EXIT_CODES } from './exit-codes.js';

describe('exit codes', () => {
  it('are one for each reason, none of them 0, no two alike', () => {
    const codes = Object.values(EXIT_CODES);
    expect(Object.keys(EXIT_CODES).sort()).toEqual(Object.keys(REASONS).sort());
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toBeGreaterThan(0);
    for (const code of codes) expect(code).toBeLessThan(256);
  });
});
