// The processes of one benchmark, each on the core that it should have.
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Contestant } from '../contestant.js';
import type { Ports } from './calls.js';
import { chooseCores, pinned } from './pin.js';
import { type Outcome, outcome, type Plan } from './plan.js';

const bothPorts = z.object({ http: z.number(), grpc: z.number() });
const httpPort = z.object({ http: z.number() });
const runs = z.object({ milliseconds: z.array(z.number()) });

/** Of one model. */
export interface Rivals {
  readonly express: { readonly port: number };
  /** Milliseconds of each run. */
  raw(operation: string, rows: number): Promise<number[]>;
  close(): Promise<void>;
}

export class Contestants {
  readonly #cores = chooseCores();
  readonly #generator = this.#start('the load generator', this.#cores?.front, 'load-generator.js');
  readonly #echo = this.#start('the bare transport', this.#cores?.front, 'echo-front.js', this.#cores?.compute);
  readonly #served: Contestant;

  constructor(
    models: string,
    private readonly seconds: number,
  ) {
    this.#served = this.#start('the server', this.#cores?.front, 'front.js', models, this.#cores?.compute);
  }

  /** What runs where; undefined where all share all cores. */
  get cores() {
    return this.#cores;
  }

  load(plan: Plan): Promise<Outcome> {
    return this.#generator.ask(JSON.stringify(plan), outcome);
  }

  servedPorts(): Promise<Ports> {
    return this.#served.ask('ports', bothPorts);
  }

  /** Of the front since it started, milliseconds of processor time. */
  async servedCpuMs(): Promise<number> {
    return (await this.#served.ask('cpu', z.object({ cpuMs: z.number() }))).cpuMs;
  }

  /** The bare transport, for requests whose tensors have these sizes. */
  async echoPorts(feedBytes: number, answerBytes: number): Promise<Ports> {
    await this.#echo.ask(`feed ${feedBytes}`, bothPorts);
    return await this.#echo.ask(`answer ${answerBytes}`, bothPorts);
  }

  async rivals(bundle: string): Promise<Rivals> {
    const compute = this.#cores?.compute;
    const raw = this.#start('raw onnxruntime', compute, 'raw.js', bundle, String(this.seconds));
    const express = this.#start('express', compute, 'express.js', bundle);
    const { http: port } = await express.ask('ports', httpPort);
    return {
      express: { port },
      raw: async (operation, rows) => (await raw.ask(`${operation} ${rows}`, runs)).milliseconds,
      async close() {
        await Promise.all([raw.close(), express.close()]);
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#generator.close(), this.#echo.close(), this.#served.close()]);
  }

  #start(name: string, core: string | undefined, file: string, ...words: (string | undefined)[]): Contestant {
    const script = fileURLToPath(new URL(file, import.meta.url));
    return new Contestant(name, pinned(core, [script, ...words.filter(word => word !== undefined)]));
  }
}
