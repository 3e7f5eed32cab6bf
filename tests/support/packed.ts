// The SDK as its users get it: the packed tarballs, unpacked into a project's node_modules.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { root } from './paths.js';

export interface PackedProject extends Disposable {
  /** A folder whose node_modules hold the SDK, what it depends on, and its peers. */
  readonly folder: string;
  /** Path of the SDK's tarball. */
  readonly tarball: string;
}

/**
 * Packs with npm, so that `files` and `exports` are those of a release. What `prepack` would make in the sources is made
 * in the project, as several tests may pack at once.
 */
export function packedProject(): PackedProject {
  const folder = mkdtempSync(`${tmpdir()}/genserve-packed-`);
  const modules = `${folder}/node_modules`;
  mkdirSync(`${modules}/@genserve`, { recursive: true });
  const npm = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  execFileSync('npm', [...npm, '-w', 'proto', '-w', 'runtime', '-w', 'sdk'], { cwd: root, stdio: 'ignore' });
  for (const name of ['proto', 'runtime', 'sdk']) {
    const tarball = readdirSync(folder).find(file => file.startsWith(`genserve-${name}-`));
    mkdirSync(`${modules}/@genserve/${name}`);
    const into = ['-C', `${modules}/@genserve/${name}`, '--strip-components=1'];
    execFileSync('tar', ['-xzf', `${folder}/${tarball}`, ...into]);
  }
  execFileSync(process.execPath, [`${root}sdk/scripts/bundle.mjs`, `${modules}/@genserve/sdk/dist/browser`]);
  for (const peer of ['onnxruntime-web', 'onnxruntime-common', 'react', 'react-dom', 'scheduler'])
    symlinkSync(`${root}node_modules/${peer}`, `${modules}/${peer}`);
  writeFileSync(`${folder}/package.json`, JSON.stringify({ name: 'project', private: true, type: 'module' }));
  const sdk = readdirSync(folder).find(file => file.startsWith('genserve-sdk-'));
  return {
    folder,
    tarball: `${folder}/${sdk}`,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
