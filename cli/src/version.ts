// The version of this package.
import { createRequire } from 'node:module';

export function version(): string {
  // Every package.json has a version.
  return (createRequire(import.meta.url)('../package.json') as { version: string }).version;
}
