// Watching a run: one line that is drawn over on a terminal, a line now and then elsewhere.
import type { Callbacks } from '@genserve/trainer';
import { duration, integer, paint, say, warning } from './output.js';

type RunInfo = Parameters<NonNullable<Callbacks['onTrainBegin']>>[0];
type StepEvent = Parameters<NonNullable<Callbacks['onStepEnd']>>[0];

/** Between two drawings of the bar, and between two lines where there is no terminal. */
const drawMs = 100;
const lineMs = 10_000;
const barWidth = 20;

/** Where a run is shown: what it says, and how far it is. */
interface Line {
  say(text: string): void;
  show(event: StepEvent, budget: RunInfo['budget'] | undefined): void;
  /** Leaves what was shown last where it stands. */
  end(): void;
}

/** Of one run, on standard error. */
export function progress(line: Line = wholeLine()): Callbacks {
  let shownAt = 0;
  let budget: RunInfo['budget'] | undefined;
  let last: StepEvent | undefined;
  return {
    onTrainBegin(info) {
      budget = info.budget;
      const from = info.startStep > 0 ? `, going on from step ${integer(info.startStep)}` : '';
      line.say(`${paint('bold', info.folder)}: ${integer(info.parameters)} parameters, ${info.engine}${from}`);
      shownAt = performance.now();
    },
    onStepEnd(event) {
      last = event;
      if (event.nonFinite !== undefined)
        line.say(warning(`step ${event.step}: ${event.nonFinite} was not finite; the update was skipped`));
      if (performance.now() - shownAt < (isTerminal() ? drawMs : lineMs)) return;
      shownAt = performance.now();
      line.show(event, budget);
    },
    onEvaluate({ step, metrics }) {
      const figures = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(2)}`);
      if (figures.length > 0) line.say(`step ${integer(step)}, held out: ${figures.join(', ')}`);
    },
    onTrainEnd({ step, elapsedSeconds, finished }) {
      if (last && finished) line.show(last, budget);
      line.end();
      line.say(`${finished ? 'done' : 'stopped'} at step ${integer(step)} after ${duration(elapsedSeconds)}`);
    },
    onWarning: message => line.say(warning(message)),
  };
}

/** Of several runs at once: each says its name, and on a terminal one line shows how far all are. */
export function sideBySide(): (name: string) => Callbacks {
  const running = new Map<string, string>();
  const drawn = new DrawnLine();
  return name =>
    progress({
      say(text) {
        drawn.clear();
        say(`${paint('cyan', name)}: ${text}`);
      },
      show(event, budget) {
        if (!isTerminal()) return say(`${name}: ${describe(event, budget)}`);
        running.set(name, `${name} ${Math.floor(100 * event.progress)} %, ${duration(event.secondsLeft)} left`);
        drawn.draw([...running.values()].join('  |  '));
      },
      end: () => void running.delete(name),
    });
}

/** With a bar, for a run that has the terminal to itself. */
function wholeLine(): Line {
  const drawn = new DrawnLine();
  return {
    say(text) {
      drawn.clear();
      say(text);
    },
    show(event, budget) {
      const text = describe(event, budget);
      if (isTerminal()) drawn.draw(text, bar(event.progress));
      else say(text);
    },
    end: () => drawn.leave(),
  };
}

/** The last line of a terminal, drawn over. */
class DrawnLine {
  #drawn = false;

  draw(text: string, front = ''): void {
    const width = (process.stderr.columns || 80) - (front === '' ? 0 : barWidth + 1) - 1;
    process.stderr.write(`\r\x1b[K${front}${front === '' ? '' : ' '}${text.slice(0, width)}`);
    this.#drawn = true;
  }

  clear(): void {
    if (this.#drawn) process.stderr.write('\r\x1b[K');
    this.#drawn = false;
  }

  leave(): void {
    if (this.#drawn) process.stderr.write('\n');
    this.#drawn = false;
  }
}

function isTerminal(): boolean {
  return process.stderr.isTTY === true;
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
  const terminal = isTerminal();
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
