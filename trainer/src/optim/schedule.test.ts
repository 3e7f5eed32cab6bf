import { describe, expect, it } from 'vitest';
import { trainingSettings } from '../train/settings.js';
import { type Schedule, scheduled } from './schedule.js';

const settings = (schedule: Partial<Schedule>) =>
  trainingSettings.parse({ batch: 1, optimiser: { learningRate: 1 }, parameterAverage: 0, schedule }).schedule;
/** At step 30 of 40 there is 0.75 of the budget spent. */
const at = (schedule: Partial<Schedule>, step: number) =>
  scheduled(settings({ warmUpSteps: 0, ...schedule }), step, step / 40);

describe('a schedule', () => {
  it('constant: stays', () => expect([0, 20, 39].map(step => at({ name: 'constant' }, step))).toEqual([1, 1, 1]));

  it('cosine: stays for a share of the budget, then falls to 0 along half a cosine', () => {
    const cosine = { name: 'cosine', decayFrom: 0.5 } as const;
    expect([0, 20, 30, 40].map(step => Number(at(cosine, step).toFixed(12)))).toEqual([1, 1, 0.5, 0]);
    expect(at(cosine, 25)).toBeCloseTo((1 + Math.SQRT1_2) / 2, 12);
  });

  it('linear: constant for the first half, then to 0 in a line, as CycleGAN', () => {
    expect([0, 20, 25, 30, 40].map(step => at({ name: 'linear', decayFrom: 0.5 }, step))).toEqual([1, 1, 0.75, 0.5, 0]);
  });

  it('exponential: by a factor at every step, whatever the budget', () => {
    const decayed = scheduled(settings({ name: 'exponential', factor: 0.9, warmUpSteps: 0 }), 10, 0.999);
    expect(decayed).toBeCloseTo(0.9 ** 10, 12);
  });

  it('step: by a factor every so many steps', () => {
    const halved = { name: 'step', factor: 0.5, every: 10 } as const;
    expect([0, 9, 10, 19, 35].map(step => at(halved, step))).toEqual([1, 1, 0.5, 0.5, 0.125]);
  });

  it('rises from 0 over its warm-up, whichever it is', () => {
    expect([0, 4, 9, 10].map(step => at({ name: 'constant', warmUpSteps: 10 }, step))).toEqual([0.1, 0.5, 1, 1]);
  });

  it.each([
    ['exponential without a factor', { name: 'exponential' }, 'factor'],
    ['step without a period', { name: 'step', factor: 0.5 }, 'every'],
  ] as const)('%s is refused', (_, schedule, field) => {
    expect(() => settings(schedule)).toThrow(field);
  });
});
