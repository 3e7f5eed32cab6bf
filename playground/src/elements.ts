// The page's elements by id, typed: index.html and the panels must agree, or the page says so at once.

/** The element with this id. Throws where it is missing or of another kind. */
export function element<E extends Element>(id: string, kind: abstract new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return found;
}

/** A canvas' 2d context. */
export function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('this browser gives no 2d context');
  return context;
}

export interface Debounced {
  /** Puts the action off until `delayMs` after the last of a quick series of these calls. */
  schedule(): void;
  /** Forgets an action that has been put off. */
  cancel(): void;
}

export function debounced(action: () => void, delayMs: number): Debounced {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = (): void => clearTimeout(timer);
  return {
    schedule() {
      cancel();
      timer = setTimeout(action, delayMs);
    },
    cancel,
  };
}
