// What both engines check before a run.
import { invalid, type Tensors } from '@genserve/runtime';
import type { Program } from './program.js';

/** Throws INVALID_ARGUMENT where `feeds` are not exactly the program's inputs at this batch size. */
export function checkFeeds(program: Program, batch: number, feeds: Tensors): void {
  for (const { name, dtype, shape } of program.inputs) {
    const feed = feeds[name];
    if (!feed) throw invalid(name, `missing; program '${program.name}' reads it`);
    const wanted = shape.map(size => (size === 'batch' ? batch : size));
    if (feed.dtype !== dtype) throw invalid(name, `is ${feed.dtype}; program '${program.name}' takes ${dtype}`);
    if (wanted.length !== feed.shape.length || wanted.some((size, axis) => size !== feed.shape[axis])) {
      throw invalid(name, `has shape [${feed.shape}]; program '${program.name}' takes [${wanted}]`);
    }
  }
  for (const name of Object.keys(feeds)) {
    if (!program.inputs.some(input => input.name === name)) {
      throw invalid(name, `is not an input of program '${program.name}'`);
    }
  }
}
