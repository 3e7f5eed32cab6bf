// Which model a message speaks to.
import { BundleGenerator, type Generator, invalid } from '@genserve/runtime';
import type { ServedModel } from '../repository/model.js';
import type { CallContext } from './verb.js';

export interface Target {
  readonly model: ServedModel;
  readonly generator: Generator;
  /** Fields of every response. */
  readonly identity: { readonly model: string; readonly version: number };
}

/** @throws MODEL_NOT_FOUND, MODEL_UNAVAILABLE, INVALID_ARGUMENT */
export function findTarget(message: { model: string; version: number }, context: CallContext): Target {
  const { services } = context;
  if (message.model === '') throw invalid('model', 'must be given');
  if (message.version < 0) throw invalid('version', `must be 1 or more, or 0 for the newest, was ${message.version}`);
  const model = services.repository.model(message.model, message.version);
  const identity = { model: model.name, version: model.version };
  return { model, generator: new BundleGenerator(model.bundle, services.runnerFor(model, context)), identity };
}
