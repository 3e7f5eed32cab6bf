// What the server can be told: one schema, validated once; an unknown key is an error.
import { GenserveError } from '@genserve/runtime';
import { z } from 'zod';
import { accessSchema, checkReach, tlsSchema } from './access/options.js';
import { policyPattern } from './repository/policy.js';

const port = z.int().min(0).max(65535);
const milliseconds = z
  .number()
  .positive()
  .max(2 ** 31 - 1);

/** Predicted wait above which a request is refused, unless the server is told otherwise. */
export const defaultMaxWaitMs = 1_250;

const versionPolicy = z.string().regex(policyPattern, 'must be "all", "latest 2" or "specific 1,3"');

const schema = z.strictObject({
  /** Folder of bundles: models/<name>/<version>. */
  models: z.string().default('models'),
  host: z.string().default('127.0.0.1'),
  /** 0 = any free port. */
  httpPort: port.default(8080),
  grpcPort: port.default(50051),
  /** Folder with the page that `/` serves; a plain list of example calls when absent. */
  playground: z.string().optional(),
  executors: z
    .strictObject({
      count: z.int().min(1).max(64).default(1),
      /** Of each executor; its share of the cores that this process may use when absent. */
      threads: z.int().min(1).max(256).optional(),
      /** A run that takes longer loses its executor. */
      hangTimeoutMs: milliseconds.default(60_000),
      pingIntervalMs: milliseconds.default(5_000),
      /** Of each session, onnxruntime's keys below `session.`: {"disable_prepacking": "1"} shares weights, and is slow. */
      sessionOptions: z.record(z.string(), z.string()).default({}),
    })
    .prefault({}),
  batching: z
    .strictObject({
      maxRows: z.int().min(1).max(65536).default(256),
      /** Longest wait for the companions of the batch before; 0 never waits. */
      maxDelayMs: z.number().min(0).max(1000).default(5),
      stepMs: milliseconds.default(250),
    })
    .prefault({}),
  repository: z
    .strictObject({
      /** `none`: what is there at the start; `poll`: and what changes; `explicit`: what is asked for. */
      control: z.enum(['none', 'poll', 'explicit']).default('none'),
      pollMs: milliseconds.default(5_000),
      /** With `explicit`: loaded at the start. */
      load: z.array(z.string()).default([]),
      versions: versionPolicy.default('all'),
      /** By name of the model. */
      models: z
        .record(
          z.string(),
          z.strictObject({
            versions: versionPolicy.optional(),
            /** Versions by label: "name@canary" is the model there, and `stable` is what serves the bare name. */
            labels: z.record(z.string(), z.int().min(1)).default({}),
          }),
        )
        .default({}),
    })
    .prefault({}),
  queue: z
    .strictObject({
      maxSteps: z.int().min(1).default(1024),
      maxBytes: z
        .int()
        .min(1)
        .default(256 * 1024 * 1024),
      /** A request that would wait longer, as far as can be predicted, is refused. */
      maxWaitMs: milliseconds.default(defaultMaxWaitMs),
    })
    .prefault({}),
  limits: z
    .strictObject({
      maxCount: z.int().min(1).default(10_000),
      maxDraws: z.int().min(1).default(5_000),
      maxBodyBytes: z
        .int()
        .min(1)
        .max(2 ** 30)
        .default(32 * 1024 * 1024),
      maxImagePixels: z.int().min(1).default(16_777_216),
      /** Greatest width or height of a picture. */
      maxImageSide: z.int().min(1).default(16_384),
      /** All headers of an HTTP request together. */
      maxHeaderBytes: z.int().min(1024).default(16_384),
    })
    .prefault({}),
  tls: tlsSchema.prefault({}),
  access: accessSchema.prefault({}),
  telemetry: z
    .strictObject({
      /** Serves /metrics. */
      metrics: z.boolean().default(true),
      /** A collector that takes OpenTelemetry traces (OTLP over HTTP), e.g. http://localhost:4318/v1/traces */
      traces: z.url().optional(),
      logLevel: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug']).default('info'),
      /** A line for every request. */
      logRequests: z.boolean().default(false),
    })
    .prefault({}),
  cors: z.boolean().default(true),
  /** Compression of JSON for those who accept it. */
  compress: z.boolean().default(true),
  /** Cross-origin isolation of the pages, for threads in WebAssembly. */
  isolate: z.boolean().default(true),
  drain: z
    .strictObject({
      /** After SIGTERM: how long health says "not ready" while requests are still taken, so that callers go elsewhere. */
      delayMs: z.number().min(0).max(600_000).default(0),
      /** Longest wait for the requests under way after that. */
      limitMs: milliseconds.default(10_000),
    })
    .prefault({}),
});

/** What a caller of `startServer` writes; every part has a default. */
export type ServerOptions = z.input<typeof schema>;
export type Settings = z.output<typeof schema>;
export type Limits = Settings['limits'];

/** Every option by its dotted path, e.g. executors.count. */
export const optionPaths: readonly string[] = pathsOf(schema);

function pathsOf(object: z.ZodObject, before = ''): string[] {
  return Object.entries(object.shape).flatMap(([key, value]) => {
    const inner = objectIn(value);
    return inner === undefined ? [before + key] : pathsOf(inner, `${before}${key}.`);
  });
}

/** What is left of a section without its default. */
function objectIn(type: unknown): z.ZodObject | undefined {
  if (type instanceof z.ZodObject) return type;
  return type instanceof z.ZodPrefault || type instanceof z.ZodOptional ? objectIn(type.unwrap()) : undefined;
}

/** @throws GenserveError CONFIGURATION_INVALID with the option that is wrong. */
export function parseOptions(options: ServerOptions): Settings {
  const result = schema.safeParse(options);
  if (result.success) {
    checkReach(result.data);
    return result.data;
  }
  const issue = result.error.issues[0];
  const path = issue?.path.join('.') ?? '';
  const keys = issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : '';
  const field = [path, keys].filter(part => part !== '').join('.');
  throw new GenserveError('CONFIGURATION_INVALID', `${field}: ${issue?.message ?? 'is not valid'}`, { field });
}
