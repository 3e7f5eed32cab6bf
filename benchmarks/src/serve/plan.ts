// What the load generator is told, and what it tells: lines of JSON between two processes.
import { z } from 'zod';

const call = z.object({
  transport: z.enum(['http', 'grpc']),
  port: z.number(),
  /** "/v1/models/mnist-vae:sample", or "/genserve.v1.GeneratorService/Sample". */
  path: z.string(),
  /** Of HTTP. */
  headers: z.record(z.string(), z.string()),
  /** Whether a gRPC method answers with a stream. */
  streams: z.boolean(),
  /** Base64. */
  body: z.string(),
});
export type Call = z.infer<typeof call>;

export const plan = z.object({
  call,
  seconds: z.number(),
  /** Closed loop: callers who each wait for their answer before they ask again. */
  concurrency: z.number().optional(),
  /** Open loop: requests a second, arriving as a Poisson process whether or not earlier ones are answered. */
  rate: z.number().optional(),
});
export type Plan = z.infer<typeof plan>;

export const outcome = z.object({
  /** One entry a request, in order of their ends. When it was due, milliseconds after the start. */
  dueMs: z.array(z.number()),
  /** From when it was due. */
  latencyMs: z.array(z.number()),
  /** How much later than due it was sent: what an open loop proves that it kept its schedule with. */
  lagMs: z.array(z.number()),
  /** HTTP status; 200 or 429 and so on for gRPC as well; 0 for a request that got no answer. */
  status: z.array(z.number()),
  /** Refused answers that told when to come back. */
  retryAfter: z.number(),
  elapsedMs: z.number(),
  cpuMs: z.number(),
});
export type Outcome = z.infer<typeof outcome>;
