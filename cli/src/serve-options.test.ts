import { optionPaths } from '@genserve/server';
import { expect, test } from 'vitest';
import { environmentName, gatherOptions } from './serve-options.js';

test('flags win over --set, --set over the environment, the environment over the file', () => {
  const options = gatherOptions(
    {
      file: 'httpPort: 1\ngrpcPort: 1\nexecutors: {count: 1, threads: 1}\nlimits: {maxCount: 7}\n',
      environment: {
        GENSERVE_GRPC_PORT: '2',
        GENSERVE_EXECUTORS_COUNT: '2',
        GENSERVE_EXECUTORS_THREADS: '2',
        PATH: '/',
      },
      set: ['executors.count=3', 'executors.threads=3', 'repository.load=[a, b]'],
      flags: { 'executors.threads': 4, host: undefined },
    },
    optionPaths,
  );
  expect(options).toEqual({
    httpPort: 1,
    grpcPort: 2,
    executors: { count: 3, threads: 4 },
    limits: { maxCount: 7 },
    repository: { load: ['a', 'b'] },
  });
});

test('every option has a name in the environment, and no two share one', () => {
  const names = optionPaths.map(environmentName);
  expect(names).toContain('GENSERVE_EXECUTORS_HANG_TIMEOUT_MS');
  expect(names).toContain('GENSERVE_REPOSITORY_CONTROL');
  expect(new Set(names).size).toBe(names.length);
});

test.each([
  { sources: { environment: { GENSERVE_HTTP_PRT: '1' } }, field: 'GENSERVE_HTTP_PRT' },
  { sources: { set: ['nonsense'] }, field: 'set' },
  { sources: { file: '- 1' }, field: 'config' },
  { sources: { file: 'a: [' }, field: 'config' },
])('what is no option is an error that names it: $field', ({ sources, field }) => {
  expect(() => gatherOptions(sources, optionPaths)).toThrow(
    expect.objectContaining({ reason: 'CONFIGURATION_INVALID', field }),
  );
});
