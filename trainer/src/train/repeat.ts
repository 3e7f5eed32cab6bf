// Several training steps as one program: one `Loop` with the state inside, so that it crosses to the device and back once.
import type { Program } from '../engine/program.js';
import { scan } from '../trace/scan.js';

/**
 * `program` run `count` times over its own state. Inputs and outputs have a leading axis of `count`, one row a run; the batch
 * size is settled.
 */
export function repeated(program: Program, count: number, batch: number): Program {
  const { name, state } = program;
  return {
    name: `${name} x ${count}`,
    inputs: program.inputs.map(input => ({
      ...input,
      shape: [count, ...input.shape.map(extent => (extent === 'batch' ? batch : extent))],
    })),
    state,
    run(inputs) {
      const values = () => Object.fromEntries(state.map(variable => [variable.name, variable.value]));
      const assign = (carry: Readonly<Record<string, (typeof inputs)[string]>>) => {
        for (const variable of state) variable.assign(carry[variable.name]!); // what `values` names
      };
      const { carry, stacked } = scan({
        trips: count,
        carry: values(),
        slices: inputs,
        body(step) {
          assign(step.carry);
          const outputs = program.run(step.slices);
          return { carry: values(), stacked: outputs };
        },
      });
      assign(carry);
      return stacked;
    },
  };
}
