// Where the repository's own things are, for tests of any folder.
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const models = `${root}models`;
/** Two bundles of a few kilobytes whose answers are known: `tiny` and `tiny-rows`. */
export const fixtures = `${root}runtime/fixtures`;
/** Debian's, which has the packages that the tests install. */
export const python = '/usr/bin/python3';
