// How `genserve serve` is told what to do: --config file < environment < --set < flags, for every option of the server.
import { GenserveError } from '@genserve/runtime';
import { parse as parseYaml } from 'yaml';

type Tree = { [key: string]: unknown };

const prefix = 'GENSERVE_';

export interface OptionSources {
  /** The text of a YAML file. */
  readonly file?: string | undefined;
  /** "GENSERVE_EXECUTORS_COUNT": "2" is the option executors.count. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** "executors.count=2"; values are YAML. */
  readonly set?: readonly string[] | undefined;
  /** By dotted path. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/** One tree of options, not yet validated. @param paths all that there are. @throws CONFIGURATION_INVALID for unknown ones */
export function gatherOptions(sources: OptionSources, paths: readonly string[]): Tree {
  const options = readFile(sources.file);
  for (const [path, value] of fromEnvironment(sources.environment ?? {}, paths)) assign(options, path, value);
  for (const [path, value] of fromAssignments(sources.set ?? [])) assign(options, path, value);
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    if (value !== undefined) assign(options, path, value);
  }
  return options;
}

/** The name in the environment: executors.hangTimeoutMs is GENSERVE_EXECUTORS_HANG_TIMEOUT_MS. */
export function environmentName(path: string): string {
  return (
    prefix +
    path
      .replaceAll('.', '_')
      .replace(/[A-Z]/g, letter => `_${letter}`)
      .toUpperCase()
  );
}

function readFile(text: string | undefined): Tree {
  const parsed = text === undefined ? undefined : readYaml(text, 'config');
  if (parsed === undefined || parsed === null) return {};
  if (isTree(parsed)) return parsed;
  throw wrong('config', 'the file must hold options by name, e.g. "httpPort: 8080"');
}

function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  paths: readonly string[],
): [string, unknown][] {
  const byName = new Map(paths.map(path => [environmentName(path), path]));
  return Object.entries(environment).flatMap(([name, text]) => {
    if (!name.startsWith(prefix) || text === undefined) return [];
    const path = byName.get(name);
    if (path === undefined) throw wrong(name, `is no option of the server; there are ${[...byName.keys()].join(', ')}`);
    return [[path, readYaml(text, name)]];
  });
}

function fromAssignments(assignments: readonly string[]): [string, unknown][] {
  return assignments.map(assignment => {
    const equals = assignment.indexOf('=');
    if (equals < 1) throw wrong('set', `"${assignment}" must be option=value, e.g. executors.count=2`);
    return [assignment.slice(0, equals).trim(), readYaml(assignment.slice(equals + 1), 'set')];
  });
}

function readYaml(text: string, field: string): unknown {
  try {
    return parseYaml(text);
  } catch (cause) {
    throw wrong(field, `is not YAML: ${cause instanceof Error ? cause.message : text}`);
  }
}

function assign(tree: Tree, path: string, value: unknown): void {
  const [key = '', ...rest] = path.split('.');
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const below = tree[key];
  const branch: Tree = isTree(below) ? below : {};
  tree[key] = branch;
  assign(branch, rest.join('.'), value);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(field: string, message: string): GenserveError {
  return new GenserveError('CONFIGURATION_INVALID', `${field}: ${message}`, { field });
}
