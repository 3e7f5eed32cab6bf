// The model repository extension: what there is, and loading and unloading by request. Bundles are its models.
import type { inference } from '@genserve/proto/wire';
import { GenserveError, invalid } from '@genserve/runtime';
import type { Models } from '../access/restricted-repository.js';
import { publicError } from '../errors.js';
import type { Entry } from '../repository/entries.js';
import type { RequestScope } from '../request-scope.js';
import type { Services } from '../verbs/verb.js';
import type { Parameters } from './inputs.js';

const states = { ready: 'READY', loading: 'LOADING', unavailable: 'UNAVAILABLE' } as const;

/** Every version of every bundle. @param repositoryName must be '': there is one repository. */
export function repositoryIndex(
  repository: Models,
  { repositoryName, ready }: inference.RepositoryIndexRequest,
): inference.RepositoryIndexResponse {
  checkRepository(repositoryName);
  const models = repository
    .index()
    .filter(entry => !ready || entry.state === 'ready')
    .map(({ name, version, state, reason }: Entry) => ({
      name,
      version: String(version),
      state: states[state],
      reason,
    }));
  return { models };
}

/** Loads or reloads the versions that the policy wants; with the parameter `version`, that one. */
export function loadModel(services: Services, change: RepositoryChange, scope: RequestScope): Promise<void> {
  return audited('load', services, change, scope, target => services.repository.load(...target));
}

/** Requests that run go on to their end. */
export function unloadModel(services: Services, change: RepositoryChange, scope: RequestScope): Promise<void> {
  return audited('unload', services, change, scope, target => services.repository.unload(...target));
}

async function audited(
  action: 'load' | 'unload',
  { audit }: Services,
  change: RepositoryChange,
  { caller, requestId }: RequestScope,
  work: (target: [string, number]) => Promise<void>,
): Promise<void> {
  const event = { action, model: change.modelName, caller: caller.name, requestId };
  try {
    await work(targetOf(change));
  } catch (error) {
    audit({ ...event, outcome: publicError(error).reason });
    throw error;
  }
  audit({ ...event, outcome: 'OK' });
}

/** What both transports carry; parameters that mean nothing here (`unload_dependents`) are let through. */
export interface RepositoryChange {
  readonly repositoryName: string;
  readonly modelName: string;
  readonly parameters: Parameters;
}

/** @throws OPERATION_UNSUPPORTED for Triton's replacements of configuration and files: a bundle is what was published. */
function targetOf({ repositoryName, modelName, parameters }: RepositoryChange): [string, number] {
  checkRepository(repositoryName);
  const replaced = Object.keys(parameters).find(name => name === 'config' || name.startsWith('file:'));
  if (replaced !== undefined) {
    const field = `parameters.${replaced}`;
    throw new GenserveError('OPERATION_UNSUPPORTED', `${field}: a bundle is served as it was published`, { field });
  }
  const version = Number(parameters.version ?? 0);
  if (Number.isSafeInteger(version) && version >= 0) return [modelName, version];
  throw invalid('parameters.version', `must be an integer of 1 or more, was ${JSON.stringify(parameters.version)}`);
}

function checkRepository(name: string): void {
  if (name !== '') throw invalid('repository_name', `must be empty: this server has one repository; was "${name}"`);
}
