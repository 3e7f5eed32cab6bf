// What a server must live through, a little of each; all of it is in tests/slow.
import { expect, test } from 'vitest';
import { burst, kills, loading, memory, mixedRequests, slowClients, termination } from './exercises.js';

test('mixed requests, bad ones and callers who hang up: every answer is that of the same request alone', async () => {
  const { wrong, refused, right } = await mixedRequests(200, 24);
  expect({ wrong, refused }).toEqual({ wrong: 0, refused: 0 });
  expect(right).toBeGreaterThan(150);
});

test('kill -9 of executors under load: the front goes on, and no answer is wrong', async () => {
  const { wrong, right, killed, slowest_health_ms } = await kills(5, 1500);
  expect(wrong).toBe(0);
  expect(killed).toBeGreaterThanOrEqual(2);
  expect(right).toBeGreaterThan(50);
  expect(slowest_health_ms).toBeLessThan(5000);
});

test('SIGTERM under load: nothing that was accepted is lost', async () => {
  const { answered, lost, exit_code } = await termination(8, 1);
  expect({ lost, exit_code }).toEqual({ lost: 0, exit_code: 0 });
  expect(answered).toBeGreaterThan(8);
});

test('a burst beyond the queue is refused with a time to come back, and all is well afterwards', async () => {
  const { accepted, refused, without_retry_after, afterwards } = await burst(200);
  // Twenty steps wait at most, and a request has no more than two of them there.
  expect(accepted).toBeGreaterThanOrEqual(10);
  expect((accepted ?? 0) + (refused ?? 0)).toBe(200);
  expect(refused).toBeGreaterThan(0);
  expect({ without_retry_after, afterwards }).toEqual({ without_retry_after: 0, afterwards: 200 });
});

test('reloads and requests leave no memory behind', async () => {
  const { growth_mib } = await memory(3, 300);
  expect(growth_mib).toBeLessThan(60);
});

test('slow and idle connections do not slow the others', async () => {
  const { before_ms, during_ms } = await slowClients(200, 300);
  expect(during_ms).toBeLessThan(5 * (before_ms ?? 0) + 50);
});

test('a model that is loaded over and over does not hold up the requests for another', async () => {
  const { loads, quiet_p99_ms, during_p99_ms } = await loading(3);
  expect(loads).toBeGreaterThan(0);
  expect(during_p99_ms).toBeLessThan(3 * (quiet_p99_ms ?? 0) + 30);
});
