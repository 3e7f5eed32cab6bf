// One operation of a bundle on rows of data, for measures that look at its plain output.
import { type BundleGenerator, buildFeeds, findOperation, float32, type Tensor } from '@genserve/runtime';

/** The output of `role` for rows [count, ...domain]. Throws OPERATION_UNSUPPORTED where the bundle has no such operation. */
export async function outputRows(
  { manifest, runner }: BundleGenerator,
  { name, role }: { readonly name: string; readonly role: string },
  data: Float32Array<ArrayBuffer>,
  count: number,
  signal?: AbortSignal,
): Promise<Tensor> {
  const operation = findOperation(manifest, name);
  const port = operation.inputs.find(each => each.role === 'data')!; // every operation's on data
  const output = operation.outputs.find(each => each.role === role)!; // of the role that the contract gives it
  const given = { [port.name]: float32([count, ...port.shape.slice(1)], data) };
  const feeds = buildFeeds(manifest, operation, count, given, { seed: 0 });
  return (await runner.run(operation.name, feeds, { signal }))[output.name]!;
}
