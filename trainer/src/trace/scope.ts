// Module paths: which part of a model is being computed, for node names and error messages.

const stack: string[] = [];
const places = new WeakMap<object, string>();
const listeners = new Set<(path: string) => void>();

/** Runs `body` inside the module `name`: what it records is named `.../name/...`. Costs nothing when eager. */
export function named<Result>(name: string, body: () => Result): Result {
  stack.push(name);
  tell();
  try {
    return body();
  } catch (error) {
    if (error instanceof Error && !places.has(error)) places.set(error, currentPath());
    throw error;
  } finally {
    stack.pop();
    tell();
  }
}

export const currentPath = (): string => stack.join('/');

/** The innermost module that an error passed through, '' for none. */
export const placeOf = (error: Error): string => places.get(error) ?? '';

/** Calls `listener` with each new path until the returned function is called. */
export function onPathChange(listener: (path: string) => void): () => void {
  listeners.add(listener);
  listener(currentPath());
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of listeners) listener(currentPath());
}
