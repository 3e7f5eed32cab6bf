// Images per second of every model of a repository: through a real server, whose executors run onnxruntime-node, and on
// the device's WASM, which Node runs as a browser does.

import { connect, type Generator, loadGenerator } from '@genserve/sdk';
import { startServer } from '@genserve/server';
import { median } from '../statistics.js';

export interface Throughput {
  readonly model: string;
  readonly version: number;
  /** Images per second by where: 'server' and 'wasm'. */
  readonly imagesPerSecond: Readonly<Record<'server' | 'wasm', number>>;
}

export interface ThroughputOptions {
  /** The model repository. */
  readonly models: string;
  /** Images of one request. */
  readonly count: number;
  readonly rounds: number;
  /** Names of models; all when absent. */
  readonly only?: readonly string[] | undefined;
}

/** `onModel` is told each as it is done. Models without `sample` are passed over. */
export async function measureThroughput(
  { models, count, rounds, only }: ThroughputOptions,
  onModel: (throughput: Throughput) => void,
): Promise<readonly Throughput[]> {
  const server = await startServer({ models, httpPort: 0, grpcPort: 0 });
  try {
    await server.loaded;
    const url = `http://127.0.0.1:${server.httpPort}/`;
    const results: Throughput[] = [];
    const served = server.models().filter(({ name }) => !only || only.includes(name));
    for (const { name, version } of served) {
      const remote = await connect(url, { model: name });
      const device = await loadGenerator(`${url}bundles/${name}/${version}/`, { device: 'wasm' });
      try {
        if (!remote.manifest.operations.some(operation => operation.name === 'sample')) continue;
        const seconds = await inTurns([remote, device], { count, rounds });
        const [server, wasm] = seconds.map(each => count / each) as [number, number]; // one for each generator
        const throughput = { model: name, version, imagesPerSecond: { server, wasm } };
        results.push(throughput);
        onModel(throughput);
      } finally {
        await remote.close();
        await device.close();
      }
    }
    return results;
  } finally {
    await server.close();
  }
}

/** Median seconds of one request for each generator, taken in turns after one that is not counted. */
async function inTurns(generators: readonly Generator[], { count, rounds }: { count: number; rounds: number }) {
  const seconds: number[][] = generators.map(() => []);
  for (const generator of generators) await generator.sample({ count, seed: 0 });
  for (let round = 1; round <= rounds; round++) {
    for (const [index, generator] of generators.entries()) {
      const started = performance.now();
      await generator.sample({ count, seed: round });
      seconds[index]!.push((performance.now() - started) / 1000);
    }
  }
  return seconds.map(median);
}
