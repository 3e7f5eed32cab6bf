// A process that loads a model gives way to those that serve. Linux lets it have its rank back only with CAP_SYS_NICE or
// a limit of niceness (`ulimit -e`, systemd's LimitNICE) that reaches as far: elsewhere it keeps its rank.
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** CAP_SYS_NICE: capabilities(7). */
const niceCapability = 23n;
/** RLIMIT_NICE counts down from here: getrlimit(2). */
const lowestRank = 20;
/** Ten is a tenth of the processor's time beside one process that does not give way. */
const politeness = 10;

/** Niceness of this process, and of whatever serves beside it. */
const normal = getPriority();
export const mayRiseAgain = canRise();

export function giveWay(pid: number): void {
  if (mayRiseAgain) setRank(pid, Math.min(lowestRank - 1, normal + politeness));
}

export function riseAgain(pid: number): void {
  if (mayRiseAgain) setRank(pid, normal);
}

/** Each thread has its own; those that are started later have it from their parent. */
function setRank(pid: number, niceness: number): void {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), niceness);
  } catch {
    // It has ended, or one of its threads has: whoever waits for it hears of that.
  }
}

function canRise(): boolean {
  try {
    const [, capabilities = '0'] = /^CapEff:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    const [, limit = '0'] = /^Max nice priority\s+(\w+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    const isCapable = ((BigInt(`0x${capabilities}`) >> niceCapability) & 1n) === 1n;
    return isCapable || limit === 'unlimited' || Number(limit) >= lowestRank - normal;
  } catch {
    return false; // no Linux
  }
}
