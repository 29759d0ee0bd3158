import { describe, expect, it } from 'vitest';
import {
  classifyEnd,
  type EndEvidence,
  looksKilled,
  type StopReason,
  spawnFailed,
} from '../../src/model/decide/outcome.ts';

const quiet: EndEvidence = {
  exitCode: 0,
  signal: null,
  stopped: null,
  isOomVictim: false,
  memoryTakenBy: null,
  peakMemoryBytes: null,
  memoryLimitBytes: null,
  runtimeLimitMs: null,
};

function end(given: Partial<EndEvidence>) {
  const { status, returnCode, cause } = classifyEnd({ ...quiet, ...given });
  return [status, returnCode, cause];
}

describe('an end that was the job’s own', () => {
  it('is success only with exit code 0', () => {
    expect(end({})).toEqual(['done', 0, 'success']);
    for (const code of [1, 2, 126, 137, 152, 255]) expect(end({ exitCode: code })).toEqual(['done', code, 'exit_code']);
  });

  it('by a signal is 128 and its number, also for real-time signals', () => {
    for (const signal of [1, 9, 15, 40, 64]) {
      expect(end({ exitCode: null, signal })).toEqual(['done', 128 + signal, 'signal']);
    }
  });

  it('is attributed to memory only when the kernel killed the job or what its shell ran', () => {
    expect(end({ exitCode: null, signal: 9, isOomVictim: true })).toEqual(['done', 137, 'oom']);
    expect(end({ exitCode: 137, isOomVictim: true })).toEqual(['done', 137, 'oom']);
    expect(end({ exitCode: 137, isOomVictim: true, memoryTakenBy: 'hog' })).toEqual(['terminated', null, 'oom']);
    expect(end({ exitCode: 0, isOomVictim: true, memoryTakenBy: 'hog' })).toEqual(['done', 0, 'success']);
    expect(end({ exitCode: 1, isOomVictim: true })).toEqual(['done', 1, 'exit_code']);
    expect(end({ exitCode: 0, isOomVictim: true })).toEqual(['done', 0, 'success']);
    expect([looksKilled(137, null), looksKilled(null, 9), looksKilled(null, 15), looksKilled(0, null)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('is never a success when nothing is known about it', () => {
    expect(end({ exitCode: null, signal: null })).toEqual(['terminated', null, 'worker_lost']);
  });

  it('keeps the evidence of a kill from outside', () => {
    const killed = { ...quiet, exitCode: null, signal: 9, peakMemoryBytes: 3 * 2 ** 30 };
    expect(classifyEnd({ ...killed, memoryLimitBytes: 2 ** 32 }).detail).toBe(
      'killed from outside, not by torc; it requested 4G, its peak was 3G',
    );
    // the default for packing is no request
    expect(classifyEnd(killed).detail).toBe(
      'killed from outside, not by torc; no memory was requested for it, its peak was 3G',
    );
  });
});

describe('an end that torc brought about', () => {
  it('depends on the reason, whatever the process did with the signal', () => {
    const expected: Record<StopReason, unknown[]> = {
      cancel: ['canceled', null, 'canceled'],
      superseded: ['canceled', null, 'canceled'],
      walltime: ['terminated', null, 'walltime'],
      restart: ['terminated', null, 'canceled'],
      shutdown: ['terminated', null, 'canceled'],
      allocation_ended: ['terminated', null, 'canceled'],
      fenced: ['terminated', null, 'node_failure'],
      runtime_limit: ['done', 152, 'job_timeout'],
      memory_limit: ['done', 137, 'oom'],
    };
    for (const [stopped, result] of Object.entries(expected) as [StopReason, unknown[]][]) {
      expect(end({ stopped })).toEqual(result);
      expect(end({ stopped, exitCode: null, signal: 15 })).toEqual(result);
      expect(end({ stopped, exitCode: null, signal: 9, isOomVictim: true })).toEqual(result);
    }
  });

  it('keeps the raw exit code and signal', () => {
    expect(classifyEnd({ ...quiet, stopped: 'walltime', exitCode: 3 })).toMatchObject({ exitCode: 3, signal: null });
    expect(classifyEnd({ ...quiet, stopped: 'cancel', exitCode: null, signal: 9 })).toMatchObject({
      exitCode: null,
      signal: 9,
    });
  });

  it('states limit and usage', () => {
    const memory = { stopped: 'memory_limit' as const, peakMemoryBytes: 3 * 2 ** 20, memoryLimitBytes: 2 ** 21 };
    expect(classifyEnd({ ...quiet, ...memory }).detail).toBe('it used 3M, its limit is 2M');
    const runtime = { stopped: 'runtime_limit' as const, runtimeLimitMs: 90_500 };
    expect(classifyEnd({ ...quiet, ...runtime }).detail).toBe('it ran longer than its limit of 90.5 s');
  });
});

describe('a command that could not be started', () => {
  it('is 127 for a missing shell and 126 for everything else', () => {
    expect(spawnFailed('ENOENT', 'x')).toMatchObject({
      status: 'done',
      returnCode: 127,
      cause: 'spawn_error',
      detail: 'x',
    });
    expect(spawnFailed('E2BIG', 'x').returnCode).toBe(126);
    expect(spawnFailed(null, 'x').returnCode).toBe(126);
  });
});
