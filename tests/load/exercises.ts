// What a server must live through, at any size: the fast tier asks for a little of each, the slow tier for all of it.
import { connect, type Socket } from 'node:net';
import { models } from '../support/paths.js';
import { privateBytes, ServeProcess } from '../support/serve-process.js';
import { type Ask, asksOf, difference, hangUp, type Outcome } from './requests.js';

export type Figures = Record<string, number>;

const retryable = ['OVERLOADED', 'EXECUTOR_LOST', 'gRPC 8', 'gRPC 14'];

/** `count` requests of every sort, `concurrency` at a time, compared with the same ones alone; every tenth hangs up. */
export async function mixedRequests(count: number, concurrency: number): Promise<Figures> {
  await using server = await ServeProcess.start();
  return await underLoad(server, await answersAlone(server), concurrency, number => number < count);
}

/** kill -9 of an executor every `everyMs` for `seconds`, under load. */
export async function kills(seconds: number, everyMs: number): Promise<Figures> {
  await using server = await ServeProcess.start('--executors', '2', '--threads', '1');
  let killed = 0;
  const restartsMs: number[] = [];
  const kill = async (end: number) => {
    while (performance.now() < end) {
      const next = pause(everyMs);
      const victims = server.executors;
      const victim = victims[killed % victims.length];
      if (victim !== undefined) {
        process.kill(victim, 'SIGKILL');
        killed += 1;
        restartsMs.push(await untilReady(server, killed));
      }
      await next;
    }
  };
  const known = await answersAlone(server);
  const end = performance.now() + 1000 * seconds;
  const [figures, slowest] = await Promise.all([
    underLoad(server, known, 16, () => performance.now() < end),
    slowestHealth(server, end),
    kill(end),
  ]);
  const slowestRestart = Math.max(...restartsMs);
  return { ...figures, killed, slowest_health_ms: slowest, slowest_restart_ms: slowestRestart };
}

/** Callers ask for as long as health says "ready", as a balancer would have them; the server is told to end meanwhile. */
export async function termination(callers: number, seconds: number): Promise<Figures> {
  await using server = await ServeProcess.start('--set', 'drain.delayMs=2000', '--set', 'drain.limitMs=60000');
  let ready = true;
  let answered = 0;
  const losses: string[] = [];
  const ask = async (seed: number) => {
    const response = await server.post('/v1/models/mnist-vae:sample', { count: 20, seed });
    await response.arrayBuffer();
    if (response.ok) answered += 1;
    else losses.push(`answered with ${response.status}`);
  };
  const loads = Array.from({ length: callers }, async (_, caller) => {
    for (let seed = caller; ready; seed += callers) await ask(seed).catch(error => losses.push(String(error.cause)));
  });
  const watch = (async () => {
    for (; ready; await pause(50)) ready = (await fetch(`${server.url}/v2/health/ready`)).ok;
  })();
  await pause(1000 * seconds);
  server.signal('SIGTERM');
  const [code] = await Promise.all([server.ended, watch, ...loads]);
  for (const loss of losses.slice(0, 10)) console.error(`lost: ${loss}`);
  return { answered, lost: losses.length, exit_code: code ?? -1 };
}

/** More at once than the queue takes. */
export async function burst(requests: number): Promise<Figures> {
  await using server = await ServeProcess.start(
    '--models',
    models,
    '--control',
    'explicit',
    '--set',
    'repository.load=[mnist-pixelcnn]',
    '--set',
    'queue.maxSteps=20',
    // The count alone decides, whatever the machine's speed.
    '--set',
    'queue.maxWaitMs=60000',
  );
  // Drawn pixel by pixel: no machine answers as fast as these requests arrive.
  const ask = async (seed: number) => {
    const response = await server.post('/v1/models/mnist-pixelcnn:sample', { count: 8, seed });
    await response.arrayBuffer();
    return { status: response.status, retryAfter: Number(response.headers.get('retry-after')) };
  };
  await ask(0);
  const answers = await Promise.all(Array.from({ length: requests }, (_, seed) => ask(seed)));
  const refused = answers.filter(({ status }) => status === 429);
  return {
    accepted: answers.filter(({ status }) => status === 200).length,
    refused: refused.length,
    without_retry_after: refused.filter(({ retryAfter }) => !(retryAfter >= 1)).length,
    afterwards: (await ask(1)).status,
  };
}

/** Growth of front and executors over so many reloads of a model and so many requests. */
export async function memory(reloads: number, requests: number): Promise<Figures> {
  await using server = await ServeProcess.start('--control', 'explicit', '--set', 'repository.load=[mnist-vae]');
  const reload = async () => {
    const response = await server.post('/v2/repository/models/mnist-vae/load', {});
    if (!response.ok) throw new Error(`a reload was answered with ${response.status}: ${await response.text()}`);
  };
  const ask = async (seed: number) => {
    const response = await server.post('/v1/models/mnist-vae:sample', { count: 1 + (seed % 8), seed });
    await response.arrayBuffer();
  };
  const askAll = async (count: number) => {
    let next = 0;
    const callers = Array.from({ length: 16 }, async () => {
      while (next < count) await ask(next++);
    });
    await Promise.all(callers);
  };
  // What any server needs once it works is no growth.
  for (let i = 0; i < 3; i++) await reload();
  await askAll(Math.min(2000, requests));
  const before = await settledMemory(server);
  for (let i = 0; i < reloads; i++) {
    await reload();
    await ask(i);
  }
  const afterReloads = await settledMemory(server);
  await askAll(requests);
  const after = await settledMemory(server);
  return {
    before_mib: before / 2 ** 20,
    growth_by_reloads_mib: (afterReloads - before) / 2 ** 20,
    growth_mib: (after - before) / 2 ** 20,
  };
}

/** One caller's latencies while nothing else happens, and while another model is reloaded over and over. */
export async function loading(seconds: number): Promise<Figures> {
  await using server = await ServeProcess.start('--control', 'explicit', '--set', 'repository.load=[tiny, mnist-vae]');
  const quantileMs = async () => {
    const times: number[] = [];
    for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
      const start = performance.now();
      await (await server.post('/v1/models/tiny:sample', { seed: 1 })).arrayBuffer();
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[Math.floor(0.99 * times.length)] ?? Number.NaN;
  };
  await quantileMs();
  const quiet = await quantileMs();
  let done = false;
  let loads = 0;
  const reloads = (async () => {
    for (; !done; loads++) await server.post('/v2/repository/models/mnist-vae/load', {});
  })();
  const during = await quantileMs();
  done = true;
  await reloads;
  return { loads, quiet_p99_ms: quiet, during_p99_ms: during, ratio: during / quiet };
}

/** Private memory of executors, and what one that keeps no packed copy of the weights costs in speed. */
export async function executors(count: number, prepacking: boolean, seconds: number): Promise<Figures> {
  const options = prepacking ? [] : ['--set', 'executors.sessionOptions={disable_prepacking: "1"}'];
  await using server = await ServeProcess.start('--executors', String(count), '--threads', '1', ...options);
  let answered = 0;
  const end = performance.now() + 1000 * seconds;
  const callers = Array.from({ length: 2 * count }, async (_, caller) => {
    for (let seed = caller; performance.now() < end; seed += 2 * count) {
      await (await server.post('/v1/models/mnist-vae:sample', { count: 64, seed, format: 'UINT8' })).arrayBuffer();
      answered += 1;
    }
  });
  await Promise.all(callers);
  const bytes = await settledMemory(server, server.executors);
  return { executors_mib: bytes / 2 ** 20, mib_each: bytes / 2 ** 20 / count, requests_per_second: answered / seconds };
}

/** Clients that send a byte now and then, and others that send none: the rest are served as before. */
export async function slowClients(slow: number, idle: number): Promise<Figures> {
  await using server = await ServeProcess.start();
  const { port } = new URL(server.url);
  const latencies = async () => {
    const times: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      const start = performance.now();
      const response = await server.post('/v1/models/tiny:sample', { seed });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`a request was answered with ${response.status}`);
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[20] ?? 0;
  };
  await latencies();
  const before = await latencies();
  const sockets = await Promise.all(Array.from({ length: slow + idle }, () => open(Number(port))));
  const drip = setInterval(() => {
    for (const socket of sockets.slice(0, slow)) socket.write('x');
  }, 1000);
  for (const socket of sockets.slice(0, slow)) socket.write('POST /v1/models/tiny:sample HTTP/1.1\r\nX-Slow: ');
  await pause(2000);
  const during = await latencies();
  clearInterval(drip);
  for (const socket of sockets) socket.destroy();
  return { before_ms: before, during_ms: during };
}

interface Known {
  readonly ask: Ask;
  readonly expected: Outcome;
}

async function answersAlone(server: ServeProcess): Promise<Known[]> {
  const known: Known[] = [];
  for (const ask of asksOf(server)) known.push({ ask, expected: await ask.send() });
  return known;
}

/** Requests as long as `more` says so, each compared with the same one alone. */
async function underLoad(
  server: ServeProcess,
  known: readonly Known[],
  concurrency: number,
  more: (number: number) => boolean,
): Promise<Figures> {
  let next = 0;
  let right = 0;
  let refused = 0;
  const mistakes: string[] = [];
  const callers = Array.from({ length: concurrency }, async () => {
    while (more(next)) {
      const number = next++;
      const chosen = known[(number * 31) % known.length];
      if (chosen === undefined || number % 10 === 9) {
        await hangUp(server, number);
        continue;
      }
      const { ask, expected } = chosen;
      const got = await ask.send();
      const wrong = difference(ask, expected, got);
      if (wrong === '') right += 1;
      else if ('reason' in got && retryable.includes(got.reason)) refused += 1;
      else mistakes.push(`${ask.name}: ${wrong}`);
    }
  });
  await Promise.all(callers);
  for (const mistake of mistakes.slice(0, 10)) console.error(mistake);
  return { requests: next, right, refused, wrong: mistakes.length };
}

/** Milliseconds until all executors answer again, so many of them having been replaced since the start. */
async function untilReady(server: ServeProcess, restarts: number): Promise<number> {
  const start = performance.now();
  for (;;) {
    const { executors } = (await (await fetch(`${server.url}/status.json`)).json()) as Status;
    if (executors.restarts >= restarts && executors.ready === executors.count) return performance.now() - start;
    await pause(20);
  }
}

/** Of /status.json. */
interface Status {
  readonly executors: { readonly count: number; readonly ready: number; readonly restarts: number };
}

/** Longest time that "are you alive" took to be answered; Infinity where it was not. */
async function slowestHealth(server: ServeProcess, end: number): Promise<number> {
  let slowest = 0;
  while (performance.now() < end) {
    const start = performance.now();
    const response = await fetch(`${server.url}/v2/health/live`);
    await response.arrayBuffer();
    slowest = response.ok ? Math.max(slowest, performance.now() - start) : Number.POSITIVE_INFINITY;
    await pause(100);
  }
  return slowest;
}

/** Once processes that were replaced are gone and the collector has run. */
async function settledMemory(server: ServeProcess, pids?: readonly number[]): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 8; i++) {
    await pause(250);
    least = Math.min(least, privateBytes(pids ?? [server.pid, ...server.executors]));
  }
  return least;
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}
