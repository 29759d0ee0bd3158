/** Requests that are not parsed by their schema are those that it takes as they are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpoints } from '../../src/api/contract.ts';
import { isUsual } from '../../src/server/exchange/usual-request.ts';
import { finishedReport } from '../../src/worker/exchange/reports.ts';
import { Session } from '../../src/worker/exchange/session.ts';
import type { FinishedAttempt } from '../../src/worker/processes/job-runner.ts';
import { noNews } from '../support/request-facts.ts';

type Fields = Record<string, unknown>;

const { request: schema } = endpoints.exchange;

const end = (changes: Fields = {}): Fields => ({
  attempt: 7,
  start_age_ms: 3.5,
  age_ms: 0,
  status: 'done',
  return_code: 1,
  cause: 'exit_code',
  exit_code: -1,
  signal: 9,
  detail: null,
  exec_ms: 2.5,
  peak_memory_bytes: 1,
  average_memory_bytes: 1,
  cpu_ms: 3,
  ...changes,
});

const request = (changes: Fields = {}): Fields => ({
  protocol: 1,
  worker_id: 'w',
  seq: 1,
  epoch: 0,
  ack: 7,
  held: [5],
  started: [{ attempt: 5, age_ms: 1, pid: 2 }],
  finished: [end()],
  returned: [6],
  samples: [{ attempt: 5, memory_bytes: 1, peak_memory_bytes: 2, cpu_ms: 3 }],
  time_left_ms: 0.5,
  draining: false,
  leaving: false,
  ...changes,
});

/** What may stand in the place of anything. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    '',
    'done',
    'a\0b',
    'slot',
    [],
    {},
    [[]],
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    -0,
  ),
  fc.constantFrom<unknown>(0, 0.5, 1, 255, 256, 2 ** 53, Number.MIN_VALUE, [1], [0], [1.5], [null], ['1'], [1e300]),
  fc.constantFrom<unknown>({ kind: 'slot', slot: 1 }, { kind: 'slot', slot: -1 }, { kind: 'empty', slot: 1 }),
  fc.constantFrom<unknown>({ kind: 'combined', offset: 1, length: 2 }, { kind: 'combined', offset: 1, extra: 2 }),
  fc.constantFrom<unknown>({ kind: 'empty' }, { kind: 'removed' }, { kind: 'files' }, { kind: 'anything' }),
);
const odds = [
  'database',
  'max_parallel_jobs',
  'actions',
  'log',
  'log_slot',
  'slurm_step',
  'files',
  'result',
  '__proto__',
  'more',
];

/** A request in which one field of it, or of something in it, has another value, is missing or is new. */
const mutated = fc
  .record({
    place: fc.constantFrom('', 'started', 'finished', 'samples', 'log'),
    name: fc.oneof(fc.constantFrom(...odds), fc.nat(13)),
    value: odd,
    isMissing: fc.boolean(),
    log: fc.constantFrom<unknown>(undefined, { kind: 'slot', slot: 1 }, { kind: 'combined', offset: 0, length: 1 }),
  })
  .map(({ place, name, value, isMissing, log }) => {
    const given = request({ finished: [end(), end(log === undefined ? {} : { log })] });
    const inside = place === '' || place === 'log' ? given : ((given[place] as Fields[]).at(-1) as Fields);
    const target = place === 'log' ? (((given.finished as Fields[])[1] as Fields).log as Fields | undefined) : inside;
    if (target === undefined) return given;
    const names = Object.keys(target);
    const field = typeof name === 'number' ? (names[name % names.length] as string) : name;
    if (isMissing) delete target[field];
    else Object.defineProperty(target, field, { value, enumerable: true, configurable: true, writable: true });
    return given;
  });

describe('a usual request of a worker', () => {
  it('is taken by the schema as it is, whatever stands in it', () => {
    let numUsual = 0;
    fc.assert(
      fc.property(mutated, (given) => {
        if (!isUsual(given)) return;
        numUsual += 1;
        expect(schema.safeParse(given)).toEqual({ success: true, data: given });
      }),
      { numRuns: 3000 },
    );
    expect(numUsual).toBeGreaterThan(100);
  });

  it('has whatever workers normally say', () => {
    expect(isUsual(request())).toBe(true);
    expect(isUsual(request({ database: 3, time_left_ms: null, held: [], finished: [], samples: [] }))).toBe(true);
    const unstarted = { start_age_ms: null, return_code: null, exit_code: null, signal: null, cpu_ms: null };
    expect(isUsual(request({ finished: [end(unstarted), end({ log: { kind: 'empty' } })] }))).toBe(true);
    const session = new Session('w');
    const success = {
      status: 'done',
      returnCode: 0,
      cause: 'success',
      exitCode: 0,
      signal: null,
      detail: null,
    } as const;
    const used = { peakMemoryBytes: 1, averageMemoryBytes: 1, cpuMs: 1 };
    const finished: FinishedAttempt = { attempt: 4, end: success, startedAtMs: 0, endedAtMs: 1, ...used };
    session.noteFinished(finished);
    session.noteStarted(5, 1, 0, 3);
    session.noteReturned(6, 0);
    const facts = { ...noNews, timeLeftMs: 10 };
    expect(isUsual(session.nextRequest({ nowMs: 1, ...facts }))).toBe(true);
    expect(isUsual(request({ finished: [finishedReport(finished, 5)] }))).toBe(true);
  });

  it.each([
    ['an end with files', request({ finished: [end({ files: [] })] })],
    ['an end with a detail', request({ finished: [end({ detail: 'why' })] })],
    ['a return code above 255', request({ finished: [end({ return_code: 256 })] })],
    ['fewer slots', request({ max_parallel_jobs: 1 })],
    ['a field of a newer worker', request({ newer: null })],
    ['one field instead of another', request({ finished: [{ ...end({ newer: null }), attempt: undefined }] })],
    ['no object', null],
  ])('is not one with %s', (_, given) => {
    expect(isUsual(given)).toBe(false);
  });
});
