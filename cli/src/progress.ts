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

/** Draws how far a count has come, on a terminal only. */
export function counter(unit: string): (done: number, total: number) => void {
  if (!process.stderr.isTTY) return () => undefined;
  let shownAt = 0;
  return (done, total) => {
    if (done < total && performance.now() - shownAt < drawMs) return;
    shownAt = performance.now();
    process.stderr.write(
      `\r\x1b[K${bar(done / total)} ${integer(done)}/${integer(total)} ${unit}${done < total ? '' : '\n'}`,
    );
  };
}
