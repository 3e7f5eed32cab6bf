// Sessions of two operations that one run serves: scores of a bound ask for `log_prob` and `log_prob_map` of the same rows
// with the same noise, and most of the work is the same.
import { type Session, sizeOf, type Tensors } from '@genserve/runtime';

/** Numbers of runs of the first that are kept for the second: more than a chunk of rows and draws has. */
const KEPT_NUMBERS = 2 ** 24;

interface Run {
  readonly feeds: Tensors;
  readonly outputs: Tensors;
}

/**
 * Of `joint`, whose outputs are those of both: a run of `first` keeps its outputs for the run of `second` on equal feeds,
 * which come in the same order. `alone` opens the second by itself, for other feeds.
 */
export function jointSessions(joint: Session, alone: () => Promise<Session>): { first: Session; second: Session } {
  let kept: Run[] = [];
  let own: Promise<Session> | undefined;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= Promise.all([joint.close(), own?.then(session => session.close())]).then(() => undefined);
    return closing;
  };
  return {
    first: {
      async run(feeds, options) {
        const outputs = await joint.run(feeds, options);
        kept.push({ feeds, outputs });
        if (kept.length * (numbersOf(feeds) + numbersOf(outputs)) > KEPT_NUMBERS) kept.shift();
        return outputs;
      },
      close,
    },
    second: {
      async run(feeds, options) {
        const place = kept.findIndex(run => sameFeeds(run.feeds, feeds));
        const found = kept[place];
        if (found) {
          kept = kept.slice(place + 1);
          return found.outputs;
        }
        own ??= alone();
        return await (await own).run(feeds, options);
      },
      close,
    },
  };
}

function numbersOf(tensors: Tensors): number {
  return Object.values(tensors).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

function sameFeeds(a: Tensors, b: Tensors): boolean {
  return Object.entries(b).every(([name, { data }]) => {
    const other = a[name]?.data;
    return other !== undefined && Buffer.compare(bytesOf(other), bytesOf(data)) === 0;
  });
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
