// Whether the server, and each of its models, takes requests; told to health checks of both protocols.

export class Readiness {
  #serverReady = false;
  readonly #listeners = new Set<() => void>();

  get ready(): boolean {
    return this.#serverReady;
  }

  set ready(ready: boolean) {
    this.#serverReady = ready;
    this.changed();
  }

  /** Also called when a model's state changes. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Returns the end of the subscription. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
