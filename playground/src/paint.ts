// In-painting: a picture from which the pointer erases, and what the model puts there, drawn row by row.
import { float32, type Samples, type Tensor, toCanvas } from '@genserve/sdk';
import { context2d, element } from './elements.js';
import { Latest, type Panel, type PanelContext } from './panel.js';
import { acceptPictures, base64, pngOf, readPicture, rowOf } from './picture.js';
import type { ModelSession } from './session.js';
import { gather } from './stream.js';
import { milliseconds } from './words.js';

const COMPLETIONS = 6;
/** Radius of the eraser as a share of the picture. */
const ERASER_SHARE = 0.09;
/** What is erased, over the picture. */
const ERASED = [91, 95, 199] as const;

export class PaintPanel implements Panel {
  readonly view = 'paint';
  readonly title = 'Paint';
  readonly #context: PanelContext;
  readonly #canvas = element('paint-canvas', HTMLCanvasElement);
  readonly #list = element('completions', HTMLOListElement);
  readonly #status = element('paint-status', HTMLElement);
  readonly #latest = new Latest(message => this.#say(message));
  readonly #taking = new Latest(message => this.#say(message));
  #session: ModelSession | undefined;
  #picture: Tensor | undefined;
  /** 1 = known, as [1, height, width, 1]. */
  #mask = new Float32Array();
  #seed = 7;

  constructor(context: PanelContext) {
    this.#context = context;
    const button = (id: string, onClick: () => void) =>
      element(id, HTMLButtonElement).addEventListener('click', onClick);
    button('erase-lower', () => this.#erase((_x, y) => y >= 0.5));
    button('erase-right', () => this.#erase(x => x >= 0.5));
    button('restore', () => this.#restore());
    button('paint-sample', () => void this.#sample());
    button('complete', () => void this.#complete());
    acceptPictures('paint-file', 'paint-drop', file => void this.#open(file));
    const canvas = this.#canvas;
    const erase = (event: PointerEvent) => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      const [px, py] = [(event.clientX - left) / width, (event.clientY - top) / height];
      this.#erase((x, y) => Math.hypot(x - px, y - py) < ERASER_SHARE);
    };
    canvas.addEventListener('pointerdown', event => {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      erase(event);
    });
    canvas.addEventListener('pointermove', event => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) erase(part);
    });
    canvas.addEventListener('pointerup', () => void this.#complete());
  }

  supports(session: ModelSession): boolean {
    return session.hasOperation('complete') && session.manifest.domain?.image !== undefined;
  }

  use(session: ModelSession): void {
    this.#latest.stop();
    this.#session = session;
    this.#picture = undefined;
    this.#list.replaceChildren();
  }

  refresh(): void {
    if (!this.#picture) void this.#sample();
    else if (this.#mask.includes(0)) void this.#complete();
  }

  /** Begins with one row of samples. */
  take(samples: Samples, row: number): void {
    this.#begin(rowOf(samples, row));
  }

  async #sample(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#say('Drawing a picture …');
    await this.#taking.run(async signal => {
      const generator = await session.at(this.#context.places.place);
      const samples = await generator.sample({ count: 1, seed: this.#seed++, signal });
      if (!signal.aborted) this.#begin(samples.data);
    });
  }

  async #open(file: Blob): Promise<void> {
    if (!this.#session) return;
    try {
      this.#begin(await readPicture(file, this.#session.manifest));
    } catch {
      this.#say('This file is not a picture that the browser can read.');
    }
  }

  #begin(picture: Tensor): void {
    this.#taking.stop();
    this.#picture = picture;
    this.#restore();
  }

  #restore(): void {
    this.#latest.stop();
    const [, height = 0, width = 0] = this.#picture?.shape ?? [];
    this.#mask = new Float32Array(height * width).fill(1);
    this.#list.replaceChildren();
    this.#show();
    this.#say('Erase a part of it, and six completions appear here.');
  }

  /** Erases the pixels whose middles, as shares of width and height, are `inside`. */
  #erase(inside: (x: number, y: number) => boolean): void {
    const [, height = 0, width = 0] = this.#picture?.shape ?? [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (inside((x + 0.5) / width, (y + 0.5) / height)) this.#mask[y * width + x] = 0;
      }
    }
    this.#show();
  }

  #show(): void {
    if (!this.#picture) return;
    toCanvas(this.#picture, { canvas: this.#canvas });
    const context = context2d(this.#canvas);
    const { width, height } = this.#canvas;
    const pixels = context.getImageData(0, 0, width, height);
    this.#mask.forEach((known, i) => {
      if (known === 0) pixels.data.set(ERASED, i * 4);
    });
    context.putImageData(pixels, 0, 0);
    const erased = this.#mask.reduce((count, known) => count + (1 - known), 0);
    const share = Math.round((erased / Math.max(1, this.#mask.length)) * 100);
    this.#canvas.setAttribute('aria-label', `Picture to erase from; ${share} % of it is erased`);
  }

  async #complete(): Promise<void> {
    const session = this.#session;
    const picture = this.#picture;
    if (!session || !picture) return;
    if (!this.#mask.includes(0)) {
      this.#say('Nothing is erased yet: use the pointer, or one of the buttons.');
      return;
    }
    const [, height = 0, width = 0] = picture.shape;
    const mask = float32([1, height, width, 1], this.#mask.slice());
    const seed = this.#seed;
    const canvases = this.#lay();
    this.#say('Completing …');
    await this.#latest.run(async signal => {
      const { places } = this.#context;
      const { place } = places;
      const { tookMs } = await places.run(session, signal, COMPLETIONS, generator =>
        gather(
          generator.completeStream(picture, mask, { count: COMPLETIONS, seed, signal, previews: true }),
          COMPLETIONS,
          samples => {
            if (signal.aborted) return;
            canvases.forEach((canvas, row) => {
              toCanvas(rowOf(samples, row), { canvas });
            });
            if (samples.drawnRows !== undefined) this.#say(`Completing: row ${samples.drawnRows} of ${height} …`);
          },
        ),
      );
      signal.throwIfAborted();
      canvases.forEach((canvas, row) => {
        canvas.setAttribute('aria-label', `Completion ${row + 1}`);
      });
      const where = place === 'browser' ? 'on this device' : 'on the server';
      this.#say(`${COMPLETIONS} completions in ${milliseconds(tookMs)} ${where}. What was known is as it was.`);
      const bytes = new Uint8Array(mask.data.buffer, mask.data.byteOffset, mask.data.byteLength);
      this.#context.onDone({
        kind: 'complete',
        place,
        count: COMPLETIONS,
        seed,
        png: await pngOf(picture),
        mask: { shape: mask.shape, data: base64(bytes) },
      });
    });
  }

  #lay(): readonly HTMLCanvasElement[] {
    const canvases = Array.from({ length: COMPLETIONS }, (_, row) => {
      const canvas = document.createElement('canvas');
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `Completion ${row + 1}, not drawn yet`);
      return canvas;
    });
    this.#list.replaceChildren(
      ...canvases.map(canvas => {
        const item = document.createElement('li');
        item.className = 'frame';
        item.append(canvas);
        return item;
      }),
    );
    return canvases;
  }

  #say(message: string): void {
    this.#status.textContent = message;
  }
}
