// Workers whose replies come late: on a machine of any speed, a step is then still under way when a test acts on it.

export interface SlowWorkers {
  /** Workers begun so far. */
  readonly count: () => number;
  /** Resolves when a worker is asked to run this operation. */
  asked(operation: string): Promise<void>;
}

/** From now on each reply of this page's workers is held back for `milliseconds`. */
export function slowWorkers(milliseconds: number): SlowWorkers {
  let count = 0;
  const requests = new EventTarget();
  window.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      count++;
    }

    override set onmessage(listener: (event: MessageEvent) => void) {
      super.onmessage = event => setTimeout(listener, milliseconds, event);
    }

    override postMessage(message: { kind: string; session?: string }): void {
      super.postMessage(message);
      if (message.kind === 'run') requests.dispatchEvent(new Event(message.session ?? ''));
    }
  };
  return {
    count: () => count,
    asked: operation => new Promise(resolve => requests.addEventListener(operation, () => resolve(), { once: true })),
  };
}
