// `npm start`: installs, builds and serves models/ with the playground page at /. Arguments go to `genserve serve`.
import { spawn } from 'node:child_process';
import { build, install, root } from './setup.mjs';

install();
build();
const server = spawn(process.execPath, [`${root}cli/bin/genserve.mjs`, 'serve', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
// The server drains on these; this process only passes them on and waits.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal));
server.on('exit', code => process.exit(code ?? 1));
