// <genserve-samples src="/bundles/mnist-vae/1/" seed="7" count="16">: samples on a page without a line of script.
// Importing this file defines the element where there are any.
import { GenserveError } from '@genserve/runtime';
import type { ClientGenerator } from './client-generator.js';
import { connect } from './connect.js';
import { toCanvas } from './images.js';
import { loadGenerator } from './load.js';

const ATTRIBUTES = ['src', 'server', 'model', 'seed', 'count', 'label', 'temperature', 'columns'] as const;
type Attribute = (typeof ATTRIBUTES)[number];

/** The base of elements, also where there are none: a server that renders pages may import this file. */
const Base = globalThis.HTMLElement ?? class {};

/**
 * Attributes: `src` (address of a bundle's folder, run on the device) or `server` and `model` (run there); `seed`,
 * `count` (1), `label`, `temperature`, `columns`. Fires `genserve-samples` with the samples as `detail` when they are
 * drawn, and `genserve-error` with the GenserveError. Style its canvas as `::part(canvas)`.
 */
export class GenserveSamples extends Base {
  static readonly observedAttributes = ATTRIBUTES;
  #generator: Promise<ClientGenerator> | undefined;
  #running: AbortController | undefined;
  #canvas: HTMLCanvasElement | undefined;

  connectedCallback(): void {
    if (!this.#canvas) {
      this.#canvas = document.createElement('canvas');
      this.#canvas.part.add('canvas');
      this.#canvas.style.cssText = 'width:100%;image-rendering:pixelated';
      this.#canvas.setAttribute('role', 'img');
      this.style.display ||= 'inline-block';
      this.attachShadow({ mode: 'open' }).append(this.#canvas);
    }
    void this.#draw();
  }

  disconnectedCallback(): void {
    this.#running?.abort();
    this.#leave();
  }

  attributeChangedCallback(name: Attribute, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected || !this.#canvas) return;
    if (name === 'src' || name === 'server' || name === 'model') this.#leave();
    void this.#draw();
  }

  async #draw(): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const { signal } = running;
    // Attributes that are set one after another are one change.
    await Promise.resolve();
    try {
      if (signal.aborted) return;
      this.#generator ??= this.#open();
      const generator = await this.#generator;
      const [seed, count, label, temperature, columns] = this.#numbers(
        'seed',
        'count',
        'label',
        'temperature',
        'columns',
      );
      const samples = await generator.sample({ seed, count, label, temperature, signal });
      if (signal.aborted) return;
      toCanvas(samples.data, { canvas: this.#canvas, ...(columns !== undefined && { columns }) });
      const rows = samples.data.shape[0];
      this.#canvas?.setAttribute('aria-label', `${rows} samples of ${generator.manifest.name}, seed ${samples.seed}`);
      this.dispatchEvent(new CustomEvent('genserve-samples', { detail: samples }));
    } catch (error) {
      if (!signal.aborted) {
        this.dispatchEvent(new CustomEvent('genserve-error', { detail: GenserveError.from(error), bubbles: true }));
      }
    }
  }

  async #open(): Promise<ClientGenerator> {
    const [src, server, model] = [this.getAttribute('src'), this.getAttribute('server'), this.getAttribute('model')];
    try {
      if (src) return await loadGenerator(src);
      if (server && model) return await connect(server, { model });
      throw new GenserveError('CONFIGURATION_INVALID', '<genserve-samples> needs src, or server and model', {
        field: 'src',
      });
    } catch (error) {
      this.#generator = undefined;
      throw error;
    }
  }

  #numbers(...names: Attribute[]): (number | undefined)[] {
    return names.map(name => {
      const value = this.getAttribute(name);
      return value ? Number(value) : undefined;
    });
  }

  #leave(): void {
    void this.#generator?.then(generator => generator.close()).catch(() => undefined);
    this.#generator = undefined;
  }
}

if (globalThis.customElements && !customElements.get('genserve-samples')) {
  customElements.define('genserve-samples', GenserveSamples);
}

declare global {
  interface HTMLElementTagNameMap {
    'genserve-samples': GenserveSamples;
  }
}
