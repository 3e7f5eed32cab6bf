// Brings a bare clone to the point where it can run: npm packages, build, Debian packages for the tests.
// Uses nothing that is not in Node, since it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
// Children must not inherit npm's own variables: a nested npm warns about each that it does not know.
const environment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };

/** Runs a command in the repository; ends this process with the command's status if it fails. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: environment, ...options });
  if (error) fail(`cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

export function fail(message) {
  console.error(`\n${message}`);
  process.exit(1);
}

/** Installs what package-lock.json names, once per lock file. onnxruntime-node's own download of CUDA is skipped. */
export function install() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    fail(`genserve needs Node 20.19 or newer; this is ${process.version}.`);
  const lock = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
  const stamp = `${root}node_modules/.genserve-lock`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('Installing npm packages (once) …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, lock);
}

/** Compiles the packages and the playground page. Both are incremental. */
export function build() {
  console.error('Building …');
  run('npx', ['tsc', '-b']);
  run('npm', ['run', '--silent', 'build', '-w', 'playground']);
  run(process.execPath, ['scripts/compress.mjs']);
}

/** Debian packages that the tests of both tiers use. */
export const testPackages = [
  'chromium',
  'firefox-esr',
  'libvulkan1',
  'python3-onnx',
  'python3-grpc-tools',
  'python3-grpcio',
  'python3-numpy',
  'curl',
  'openssl',
  'wrk',
];

/** Installs Debian packages where they are missing; says what to do where that is impossible. `whoNeeds` begins messages. */
export function debian(packages, whoNeeds = 'The tests need') {
  const missing = packages.filter(name => spawnSync('dpkg', ['-s', name], { stdio: 'ignore' }).status !== 0);
  if (missing.length === 0) return;
  const byHand = `Install by hand and try again:\n  apt-get install ${missing.join(' ')}`;
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0)
    fail(`${whoNeeds} ${missing.join(', ')} and this is not a Debian system. ${byHand}`);
  if (process.getuid() !== 0) fail(`${whoNeeds} ${missing.join(', ')} and only root may install them. ${byHand}`);
  console.error(`Installing Debian packages: ${missing.join(', ')} …`);
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'], env: { ...environment, DEBIAN_FRONTEND: 'noninteractive' } };
  run('apt-get', ['update', '-qq'], quiet);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], quiet);
}
