// Module paths: which part of a model is being computed, for node names and error messages.

const stack: string[] = [];
const listeners = new Set<(path: string) => void>();

/** Runs `body` inside the module `name`: what it records is named `.../name/...`. Costs nothing when eager. */
export function named<Result>(name: string, body: () => Result): Result {
  stack.push(name);
  tell();
  try {
    return body();
  } finally {
    stack.pop();
    tell();
  }
}

export const currentPath = (): string => stack.join('/');

/** Calls `listener` with each new path until the returned function is called. */
export function onPathChange(listener: (path: string) => void): () => void {
  listeners.add(listener);
  listener(currentPath());
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of listeners) listener(currentPath());
}
