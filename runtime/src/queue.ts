// First in, first out, one at a time: onnxruntime-web cannot bear two overlapping creates or runs in one realm.

export type Queue = <T>(task: () => Promise<T>) => Promise<T>;

/** A queue of its own. A task that rejects rejects its own promise and nothing else. */
export function serialQueue(): Queue {
  let tail: Promise<unknown> = Promise.resolve();
  return task => {
    const result = tail.then(task);
    tail = result.catch(() => undefined);
    return result;
  };
}
