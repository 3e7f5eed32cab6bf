// Watching a run: one line that is drawn over on a terminal, a line now and then elsewhere.
import type { Callbacks } from '@genserve/trainer';
import { duration, integer, paint, say, warn } from './output.js';

type RunInfo = Parameters<NonNullable<Callbacks['onTrainBegin']>>[0];
type StepEvent = Parameters<NonNullable<Callbacks['onStepEnd']>>[0];

/** Between two drawings of the bar, and between two lines where there is no terminal. */
const drawMs = 100;
const lineMs = 10_000;
const barWidth = 20;

/** Draws to standard error. */
export function progress(): Callbacks {
  const terminal = process.stderr.isTTY === true;
  let shownAt = 0;
  let budget: RunInfo['budget'] | undefined;
  let last: StepEvent | undefined;
  let drawn = false;
  const clear = () => {
    if (drawn) process.stderr.write('\r\x1b[K');
    drawn = false;
  };
  const show = (event: StepEvent) => {
    const text = describe(event, budget);
    if (!terminal) return say(text);
    const width = (process.stderr.columns || 80) - barWidth - 2;
    process.stderr.write(`\r\x1b[K${bar(event.progress)} ${text.slice(0, width)}`);
    drawn = true;
  };
  return {
    onTrainBegin(info) {
      budget = info.budget;
      const from = info.startStep > 0 ? `, going on from step ${integer(info.startStep)}` : '';
      say(`${paint('bold', info.folder)}: ${integer(info.parameters)} parameters, ${info.engine}${from}`);
      shownAt = performance.now();
    },
    onStepEnd(event) {
      last = event;
      if (event.nonFinite !== undefined) {
        clear();
        warn(`step ${event.step}: ${event.nonFinite} was not finite; the update was skipped`);
      }
      if (performance.now() - shownAt < (terminal ? drawMs : lineMs)) return;
      shownAt = performance.now();
      show(event);
    },
    onEvaluate({ step, metrics }) {
      clear();
      const figures = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(2)}`);
      if (figures.length > 0) say(`step ${integer(step)}, held out: ${figures.join(', ')}`);
    },
    onTrainEnd({ step, elapsedSeconds, finished }) {
      if (last && finished) show(last);
      if (drawn) process.stderr.write('\n');
      say(`${finished ? 'done' : 'stopped'} at step ${integer(step)} after ${duration(elapsedSeconds)}`);
    },
    onWarning(message) {
      clear();
      warn(message);
    },
  };
}

function describe(event: StepEvent, budget: RunInfo['budget'] | undefined): string {
  const { step, metrics, imagesPerSecond, secondsLeft } = event;
  const total = budget?.steps !== undefined ? `/${integer(budget.steps)}` : '';
  const losses = Object.entries(metrics)
    .filter(([name]) => name.split('/').at(-1) === 'loss')
    .map(([name, value]) => `${name} ${value.toPrecision(5)}`);
  return `step ${integer(step)}${total}  ${losses.join('  ')}  ${integer(imagesPerSecond)} images/s  ${duration(secondsLeft)} left`;
}

function bar(progress: number): string {
  const full = Math.round(Math.min(1, progress) * barWidth);
  return paint('cyan', '━'.repeat(full)) + paint('dim', '─'.repeat(barWidth - full));
}

/** Shows how far a count has come and how long the rest will take. */
export function counter(unit: string): (done: number, total: number) => void {
  const terminal = process.stderr.isTTY === true;
  const startedAt = performance.now();
  let shownAt = startedAt;
  return (done, total) => {
    const now = performance.now();
    const last = done >= total;
    if (terminal ? !last && now - shownAt < drawMs : last || now - shownAt < lineMs) return;
    shownAt = now;
    const left = last ? '' : `, ${duration(((now - startedAt) / 1000 / done) * (total - done))} left`;
    const text = `${integer(done)}/${integer(total)} ${unit}${left}`;
    if (terminal) process.stderr.write(`\r\x1b[K${bar(done / total)} ${text}${last ? '\n' : ''}`);
    else say(text);
  };
}

/** What is done to the anomaly scores of a bundle. */
export const scoreStages = {
  fit: 'fitting scores on normal data',
  recommend: 'choosing a score on synthetic anomalies',
  calibrate: 'calibrating scores on held-out data',
};

/** Says which stage of several begins, and counts the rows of those that go through rows. */
export function stageProgress<Stage extends string>(
  names: Readonly<Record<Stage, string>>,
): (stage: Stage, done?: number, total?: number) => void {
  let current: Stage | undefined;
  let count = counter('rows');
  return (stage, done, total) => {
    if (stage !== current) {
      say(paint('dim', `${names[stage]} …`));
      count = counter('rows');
    }
    current = stage;
    if (done !== undefined && total !== undefined) count(done, total);
  };
}
