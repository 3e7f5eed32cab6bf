// Class-split ensembles: a graph for each group of labels. Loaded when one is first run.
import type { Operation } from '@genserve/proto/manifest';
import { invalid } from './errors.js';
import { inputsOf } from './manifest.js';
import type { Run } from './steps.js';
import { concatenate, type Tensors, takeRows } from './tensor.js';

/** Each row by the member that serves its label; answers come back in the order of the rows. */
export async function runMembers(run: Run, operation: Operation, feeds: Tensors): Promise<Tensors> {
  const { name, members, inputs, outputs } = operation;
  const [label] = inputsOf(operation, 'label');
  // parseManifest asks ensembles for a label port.
  const memberOf = Array.from(feeds[label!.name]!.data, value => {
    const found = members.findIndex(({ labels }) => labels.includes(value));
    if (found < 0) throw invalid('label', `no member of ${name} serves label ${value}`);
    return found;
  });
  const order: number[] = [];
  const parts: Tensors[] = [];
  for (const member of new Set(memberOf)) {
    const rows = [...memberOf.keys()].filter(row => memberOf[row] === member);
    const part = inputs.map(port => {
      const feed = feeds[port.name]!;
      return [port.name, port.shape.length > 0 ? takeRows(feed, rows) : { ...feed, data: feed.data.slice() }];
    });
    parts.push(await run(`${name}#${member}`, Object.fromEntries(part)));
    order.push(...rows);
  }
  const back = memberOf.map((_, row) => order.indexOf(row));
  return Object.fromEntries(
    outputs.map(port => [port.name, takeRows(concatenate(parts.map(part => part[port.name]!)), back)]),
  );
}
