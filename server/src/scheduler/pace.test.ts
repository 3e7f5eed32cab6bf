import { expect, test } from 'vitest';
import { Pace } from './pace.js';

test('what is expected follows a machine that has become slow within a few runs, and one that is quick again', () => {
  const pace = new Pace();
  for (let run = 0; run < 10; run++) pace.observe(10, 60);
  expect(pace.factor).toBeGreaterThan(5);
  for (let run = 0; run < 15; run++) pace.observe(10, 10);
  expect(pace.factor).toBeLessThan(1.3);
});

test('one run that was held up is not taken for the new pace', () => {
  const pace = new Pace();
  pace.observe(1, 5000);
  expect(pace.factor).toBeLessThan(3);
});
