import { describe, expect, it } from 'vitest';
import { type DiagnosisFacts, diagnose, type UnfinishedAttempt } from '../../src/model/decide/diagnosis.ts';
import type { Diagnosis } from '../../src/model/decide/diagnosis-fields.ts';
import { decideWorkerFate, type SlurmEnd, type WorkerFateFacts } from '../../src/model/decide/worker-fate.ts';
import { findMemoryWords } from '../../src/slurm/memory-words.ts';
import { knownStates, parseState } from '../../src/slurm/states.ts';

const mebibyte = 1024 ** 2;

function end(text: string, fields: Partial<SlurmEnd> = {}): SlurmEnd {
  const { name, cause, canceledBy } = parseState(text);
  return {
    state: name,
    cause,
    canceledBy,
    reason: null,
    exitCode: 0,
    signal: 0,
    maxRssBytes: null,
    endTimeMs: null,
    ...fields,
  };
}

function attempt(key: number, fields: Partial<UnfinishedAttempt> = {}): UnfinishedAttempt {
  return {
    attemptKey: key,
    jobKey: String(key),
    jobName: `job ${key}`,
    peakMemoryBytes: null,
    requestedMemoryBytes: 100 * mebibyte,
    isMemoryStated: true,
    ...fields,
  };
}

function facts(fields: Partial<DiagnosisFacts> = {}): DiagnosisFacts {
  return {
    fate: { process: 'gone', by: 'slurm', why: 'Slurm job 7 has ended.' },
    computeNodeKey: '3',
    hostname: 'c1.example.org',
    slurmJobId: '7',
    lastHeartbeat: '2026-01-01T00:00:00.000Z',
    silentSeconds: 420,
    nodeMemoryBytes: 400 * mebibyte,
    slurmEnd: null,
    slurmState: null,
    slurmReason: null,
    memoryWords: null,
    problems: [],
    attempts: [attempt(1)],
    ...fields,
  };
}

function only(given: Partial<DiagnosisFacts>): Diagnosis {
  return [...diagnose(facts(given)).values()][0] as Diagnosis;
}

describe('what Slurm’s final states mean', () => {
  it.each([
    ['TIMEOUT', 'walltime'],
    ['DEADLINE', 'walltime'],
    ['NODE_FAIL', 'node_failure'],
    ['BOOT_FAIL', 'node_failure'],
    ['PREEMPTED', 'preempted'],
    ['CANCELLED by 1000', 'canceled'],
    ['FAILED', 'worker_lost'],
    ['COMPLETED', 'worker_lost'],
    ['OUT_OF_MEMORY', 'oom'],
  ])('%s is %s', (state, cause) => {
    const diagnosis = only({ slurmEnd: end(state) });
    expect(diagnosis.cause).toBe(cause);
    expect(diagnosis.explanation).toContain('Slurm job 7 on c1.example.org');
    expect(diagnosis.explanation).not.toContain('ago');
  });

  it('no state counts as a success, nor does a missing one', () => {
    const ends = knownStates.filter((known) => known.phase === 'final').map((known) => end(known.name));
    for (const slurmEnd of [null, ...ends]) expect(only({ slurmEnd }).cause).not.toBe('success');
    expect(only({ slurmEnd: null }).cause).toBe('worker_lost');
  });

  it('says who canceled it, and what killed it', () => {
    expect(only({ slurmEnd: end('CANCELLED by 1000', { canceledBy: '1000 (alice)' }) }).explanation).toContain(
      'by user 1000 (alice)',
    );
    expect(only({ slurmEnd: end('FAILED', { exitCode: 42 }) }).explanation).toContain('exit code 42');
    expect(only({ slurmEnd: end('FAILED', { signal: 9 }) }).explanation).toContain('signal 9');
  });

  it('gives no cause while nothing shows that the process is gone', () => {
    const diagnosis = only({
      fate: { process: 'lost_contact', why: 'Slurm still reports job 7 as RUNNING.' },
      slurmEnd: end('FAILED'),
    });
    expect(diagnosis).toMatchObject({ cause: null, process: 'lost_contact' });
  });
});

describe('when memory ran out', () => {
  const oom = end('OUT_OF_MEMORY', { signal: 125 });

  it('the job most over its request is to blame, not the largest', () => {
    const big = attempt(1, { peakMemoryBytes: 220 * mebibyte, requestedMemoryBytes: 200 * mebibyte });
    const small = attempt(2, { peakMemoryBytes: 150 * mebibyte, requestedMemoryBytes: 10 * mebibyte });
    const diagnoses = diagnose(facts({ slurmEnd: oom, attempts: [big, small] }));
    expect(diagnoses.get(2)).toMatchObject({ role: 'culprit', cause: 'oom', suggested_memory_bytes: 256 * mebibyte });
    expect(diagnoses.get(1)).toMatchObject({
      role: 'victim',
      cause: 'oom',
      suggested_memory_bytes: null,
      culprit_job_key: '2',
    });
    expect(diagnoses.get(2)?.explanation).toContain('150M against its request of 10M');
  });

  it('among jobs without a stated request the largest is to blame', () => {
    const fields = { requestedMemoryBytes: mebibyte, isMemoryStated: false };
    const attempts = [
      attempt(1, { ...fields, peakMemoryBytes: 50 * mebibyte }),
      attempt(2, { peakMemoryBytes: 300 * mebibyte, requestedMemoryBytes: 100 * mebibyte }),
    ];
    const diagnoses = diagnose(facts({ slurmEnd: oom, attempts }));
    expect(diagnoses.get(2)?.role).toBe('culprit');
    // the default for packing is no request
    expect(diagnoses.get(1)?.requested_memory_bytes).toBe(null);
  });

  it('without samples it says that they are missing; a job that was alone is still to blame', () => {
    const alone = only({ slurmEnd: oom });
    expect(alone).toMatchObject({ role: 'culprit', suggested_memory_bytes: 768 * mebibyte });
    expect(alone.unknown).toEqual([expect.stringMatching(/no sample/)]);
    const two = diagnose(facts({ slurmEnd: oom, attempts: [attempt(1), attempt(2)] })).get(1);
    expect(two).toMatchObject({ role: null, culprit_job_key: null, suggested_memory_bytes: null });
    expect(two?.unknown).toHaveLength(2);
  });

  it('is also known from slurmstepd, and from a kill while more memory was in use than the node has', () => {
    const memoryWords = { text: 'Exceeded job memory limit', nodes: ['c1'], usedBytes: null };
    expect(only({ slurmEnd: end('FAILED', { signal: 9 }), memoryWords }).cause).toBe('oom');
    const killed = end('FAILED', { signal: 9, maxRssBytes: 500 * mebibyte });
    expect(only({ slurmEnd: killed }).cause).toBe('oom');
    expect(only({ slurmEnd: { ...killed, maxRssBytes: 10 } }).cause).toBe('worker_lost');
    const attempts = [attempt(1, { peakMemoryBytes: 401 * mebibyte })];
    expect(only({ slurmEnd: end('FAILED', { signal: 9 }), attempts }).cause).toBe('oom');
  });

  it('on another node of the allocation it does not explain the end of this one, nor after the time limit', () => {
    const memoryWords = { text: 'x', nodes: ['c2'], usedBytes: null };
    expect(only({ slurmEnd: end('FAILED', { signal: 9 }), memoryWords }).role).toBeNull();
    expect(only({ slurmEnd: end('TIMEOUT'), memoryWords: { ...memoryWords, nodes: [] } }).cause).toBe('walltime');
  });

  it.each([
    ['slurmstepd-c1: error: Detected 1 oom-kill event(s) in StepId=13.batch. Some of', ['c1'], null],
    ['[2026-01-01T00:00:00] slurmstepd-n.a-1: error: Detected 1 oom_kill event in StepId=2.batch.', ['n.a-1'], null],
    ['slurmstepd: error: StepId=23.batch exceeded memory limit (628531200 > 209715200), being killed', [], 628531200],
    ['slurmstepd-c1: error: Exceeded job memory limit', ['c1'], null],
    ['srun: error: c1: task 0: Out Of Memory', ['c1'], null],
  ])('reads %j', (line, nodes, usedBytes) => {
    expect(findMemoryWords(`before\n${line}\nafter\n`)).toMatchObject({ nodes, usedBytes });
  });

  it('does not mistake a job’s output for words of Slurm', () => {
    expect(
      findMemoryWords('my program: Out Of Memory, oom-kill event\nslurmstepd-c1: error: *** JOB 26 CANCELLED ***'),
    ).toBeNull();
  });
});

describe('when a process is gone', () => {
  const base: WorkerFateFacts = {
    isSilent: true,
    silentMs: 300_000,
    hostname: 'c1',
    local: null,
    slurmJobId: '7',
    restartCount: 0,
    queue: { presence: 'running', state: 'RUNNING', restartCount: 0 },
    end: null,
    isPredecessor: false,
    absentForMs: null,
    fencedForMs: null,
    hasSpokenSince: false,
  };
  const absent = { presence: 'absent', state: null, restartCount: 0 } as const;
  const final = { presence: 'final', state: 'FAILED', restartCount: 0 } as const;

  it.each<[string, Partial<WorkerFateFacts>, string]>([
    ['silence alone', {}, 'lost_contact'],
    ['no answer of squeue, whatever accounting says', { queue: null, end: end('FAILED') }, 'lost_contact'],
    [
      'accounting ahead of a job that still completes',
      { queue: { ...final, presence: 'ending' }, end: end('TIMEOUT') },
      'lost_contact',
    ],
    ['an end that both show', { queue: final, end: end('FAILED') }, 'gone'],
    ['an end of which squeue knows no more', { queue: absent, end: end('COMPLETED') }, 'gone'],
    [
      'the same while its worker has just responded',
      { queue: absent, end: end('COMPLETED'), hasSpokenSince: true, isSilent: false },
      'running',
    ],
    ['missing for the first time', { queue: absent, absentForMs: 0 }, 'lost_contact'],
    ['missing for a minute', { queue: absent, absentForMs: 60_000 }, 'fence'],
    ['missing, and told to stop', { queue: absent, absentForMs: 60_000, fencedForMs: 19_000 }, 'lost_contact'],
    ['missing, and told to stop long ago', { queue: absent, absentForMs: 60_000, fencedForMs: 20_000 }, 'gone'],
    ['missing for a minute, its worker not silent', { queue: absent, absentForMs: 60_000, isSilent: false }, 'running'],
    ['a lost node', { queue: absent, end: end('NODE_FAIL') }, 'fence'],
    [
      'a lost node that was told to stop',
      { queue: absent, end: end('NODE_FAIL'), fencedForMs: 19_000 },
      'lost_contact',
    ],
    ['the same after its time', { queue: absent, end: end('NODE_FAIL'), fencedForMs: 20_000 }, 'gone'],
    [
      'the same, heard from since',
      { queue: absent, end: end('NODE_FAIL'), fencedForMs: 40_000, silentMs: 5_000 },
      'lost_contact',
    ],
    ['an earlier start', { isPredecessor: true }, 'fence'],
    ['an earlier start that was preempted', { isPredecessor: true, end: end('PREEMPTED') }, 'gone'],
    ['another host without Slurm', { slurmJobId: null, queue: null }, 'lost_contact'],
    [
      'processes left behind',
      { slurmJobId: null, local: { state: 'leftover_processes', pids: [4, 5], hasRebooted: false } },
      'lost_contact',
    ],
    ['nothing left here', { slurmJobId: null, local: { state: 'gone', pids: [], hasRebooted: false } }, 'gone'],
  ])('%s', (_, given, process) => {
    expect(decideWorkerFate({ ...base, ...given }).process).toBe(process);
  });
});
