// The drawing pad: white strokes on dark, by mouse, pen or finger; or a picture put into it.

import type { Grey } from './digit.js';
import { context2d, element } from './elements.js';

const GROUND = '#000000';
const STROKE = '#ffffff';
/** Width of the brush as a share of the pad: MNIST's strokes are two to three of 28 pixels wide. */
const BRUSH_SHARE = 2.4 / 28;

export class Pad {
  readonly canvas = element('drawing', HTMLCanvasElement);
  readonly #hint = element('drawing-hint', HTMLElement);
  readonly #context = context2d(this.canvas);
  readonly #onDraw: () => void;
  #last: readonly [number, number] | undefined;

  /** `onDraw` is called while strokes are made. */
  constructor(onDraw: () => void) {
    this.#onDraw = onDraw;
    this.clear();
    const { canvas } = this;
    canvas.addEventListener('pointerdown', event => {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      this.#last = this.#place(event);
      this.#strokeTo(event);
    });
    canvas.addEventListener('pointermove', event => {
      if (!this.#last) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) this.#strokeTo(part);
    });
    for (const end of ['pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(end, () => {
        this.#last = undefined;
      });
    }
  }

  clear(): void {
    this.#context.fillStyle = GROUND;
    this.#context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.#hint.hidden = false;
  }

  /** Fills the pad with a picture, its pixels crisp. */
  show(picture: CanvasImageSource): void {
    this.#context.imageSmoothingEnabled = false;
    this.#context.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
    this.#hint.hidden = true;
  }

  get pixels(): ImageData {
    return this.#context.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  /** The strokes as grey values. */
  get grey(): Grey {
    const { width, height, data } = this.pixels;
    return { width, height, data: Float32Array.from({ length: width * height }, (_, i) => (data[i * 4] ?? 0) / 255) };
  }

  #place(event: PointerEvent): readonly [number, number] {
    const bounds = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / bounds.width;
    return [(event.clientX - bounds.left) * scale, (event.clientY - bounds.top) * scale];
  }

  #strokeTo(event: PointerEvent): void {
    const from = this.#last ?? this.#place(event);
    const to = this.#place(event);
    const context = this.#context;
    context.strokeStyle = STROKE;
    context.lineWidth = this.canvas.width * BRUSH_SHARE;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    this.#last = to;
    this.#hint.hidden = true;
    this.#onDraw();
  }
}
