// A row is drawn the same to the last bit whichever rows it is drawn with: what follows an element may turn on its last bit.
import { float32 } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { createSession } from '../engine/session.js';
import { operationProgram } from '../export/operation-program.js';
import { movedState, normals } from '../testing/flows.js';
import { exportOperations } from '../trace/operations.js';
import { tf } from '../trace/tensorflow.js';
import { maskedAutoencoder } from './masked-dense.js';
import { Scope } from './variable.js';

const DIMENSIONS = 24;
const ROWS = 16;
const noise = normals('noise', [ROWS, DIMENSIONS]);

const cases = [
  { name: 'one output', hidden: [60], outputs: ['mean'] },
  { name: 'two outputs', hidden: [60], outputs: ['mean', 'shift'] },
  { name: 'two hidden layers', hidden: [60, 50], outputs: ['mean'] },
];

test.each(cases)('rows are drawn alike alone and among others: $name', async ({ hidden, outputs }) => {
  const scope = new Scope();
  const network = maskedAutoencoder(scope, { dimensions: DIMENSIONS, hidden, outputs, blocks: 3 });
  const decide = (given: readonly Tensor[], own: Tensor) => given.reduce((sum, value) => tf.add(sum, value), own);
  const operation = {
    name: 'draw',
    inputs: [{ name: 'noise', role: 'noise', shape: [DIMENSIONS] }],
    outputs: [{ name: 'x', role: 'data', shape: [DIMENSIONS] }],
    run: (inputs: Readonly<Record<string, Tensor>>) => ({ x: network.draw({ noise: inputs.noise!, decide }) }),
  };
  const variables = scope.variables();
  const exported = exportOperations([operationProgram(operation, variables)], movedState(variables, 0.1));
  const session = await createSession(exported.operations[0]!.model, { weights: exported.weights });
  const draw = async (first: number, count: number) => {
    const rows = noise.slice(first * DIMENSIONS, (first + count) * DIMENSIONS);
    return (await session.run({ noise: float32([count, DIMENSIONS], rows) })).x!.data;
  };
  const all = await draw(0, ROWS);
  for (const count of [1, 2, 3, 5, 7]) {
    for (let first = 0; first + count <= ROWS; first += count) {
      const among = all.slice(first * DIMENSIONS, (first + count) * DIMENSIONS);
      expect(await draw(first, count), `${count} rows from ${first}`).toEqual(among);
    }
  }
  await session.close();
});
