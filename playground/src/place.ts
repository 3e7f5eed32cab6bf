// The switch between server and device, which every view obeys, with the time that the last run took in each.
import type { ClientGenerator, DeviceGenerator, Progress } from '@genserve/sdk';
import { element } from './elements.js';
import type { ModelSession } from './session.js';
import type { Place } from './snippets.js';
import { bytes, milliseconds } from './words.js';

export interface Timed<T> {
  readonly result: T;
  readonly tookMs: number;
}

export class PlaceBar {
  readonly #form = element('place-form', HTMLFormElement);
  readonly #progress = element('progress', HTMLProgressElement);
  readonly #status = element('sampling-status', HTMLElement);
  readonly #timesMs = new Map<Place, { readonly tookMs: number; readonly pictures: number }>();

  constructor(onChange: () => void) {
    this.#form.addEventListener('change', onChange);
  }

  get place(): Place {
    return new FormData(this.#form).get('place') === 'browser' ? 'browser' : 'server';
  }

  /** Another model, or another view: times of before are of something else. */
  reset(): void {
    this.#timesMs.clear();
    this.#status.textContent = '';
    this.#show();
  }

  /** Runs a call at the place that is set, or at the one that is given, and shows how long it took for `pictures`. */
  async run<T>(
    session: ModelSession,
    signal: AbortSignal,
    pictures: number,
    call: (generator: ClientGenerator) => Promise<T>,
    place = this.place,
  ): Promise<Timed<T>> {
    const generator = await session.at(place, progress => this.#showProgress(progress));
    signal.throwIfAborted();
    const start = performance.now();
    const result = await call(generator);
    const tookMs = performance.now() - start;
    this.#timesMs.set(place, { tookMs, pictures });
    this.#show();
    if (place === 'browser') this.#status.textContent = await noteOf(session);
    return { result, tookMs };
  }

  #showProgress({ phase, done, total }: Progress): void {
    this.#progress.hidden = phase !== 'download' || done >= total;
    this.#progress.value = total > 0 ? done / total : 0;
    this.#status.textContent =
      phase === 'download' ? `Bringing the model here: ${bytes(done)} of ${bytes(total)} …` : 'Starting it …';
  }

  #show(): void {
    const longest = Math.max(...[...this.#timesMs.values()].map(({ tookMs }) => tookMs));
    for (const place of ['server', 'browser'] as const) {
      const time = this.#timesMs.get(place);
      element(`time-${place}`, HTMLElement).textContent = time
        ? `${milliseconds(time.tookMs)} · ${rate((time.pictures / time.tookMs) * 1000)} pictures/s`
        : 'not run yet';
      element(`bar-${place}`, HTMLElement).style.width = time ? `${(time.tookMs / longest) * 100}%` : '0';
    }
  }
}

function rate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en');
}

/** How the device came to run it. */
async function noteOf(session: ModelSession): Promise<string> {
  if (!session.loaded) return '';
  const device = (await session.at('browser')) as DeviceGenerator; // what `at` loads there
  const how = device.backend === 'webgpu' ? 'WebGPU' : 'WebAssembly';
  const why = device.fallbackReason ? ` (${device.fallbackReason})` : '';
  const threads =
    device.backend === 'wasm' ? `, ${device.threads === 1 ? 'one thread' : `${device.threads} threads`}` : '';
  const half = device.precision === 'float16' ? ' in half precision' : '';
  const { bytes: size, tookMs } = session.loaded;
  return `${bytes(size)} of model${half} here and verified in ${milliseconds(tookMs)}; runs on ${how}${why}${threads}.`;
}
