// Names what a layer computes after the scope that holds its parameters: "encoder/dense1/Gemm" beside "encoder/dense1/kernel".
import { currentPath, named } from '../trace/scope.js';
import type { Scope } from './variable.js';

/** Runs `body` as the module of `scope`, wherever it is called from. */
export function inModule<Result>({ path }: Scope, body: () => Result): Result {
  const here = currentPath();
  if (path === here) return body();
  return named(here !== '' && path.startsWith(`${here}/`) ? path.slice(here.length + 1) : path, body);
}
