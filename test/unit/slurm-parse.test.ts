import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type AccountedJob, parseSacct, parseSinfo, parseSqueue } from '../../src/slurm/parse.ts';
import { parseScontrolJobs } from '../../src/slurm/scontrol.ts';
import { isFinal } from '../../src/slurm/states.ts';

/** Printed by Slurm 22.05.8 and 24.11.5 for the same jobs, with the options that commands.ts uses. */
const versions = ['22.05', '24.11'] as const;
const recorded = (version: string, name: string) =>
  readFileSync(new URL(`../fixtures/slurm/${version}/${name}.txt`, import.meta.url), 'utf8');
const byName = <T extends { name: string }>(records: readonly T[], name: string): T => {
  const found = records.filter((record) => record.name === name);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} records are called ${name}`);
  return found[0];
};

describe.each(versions)('squeue of Slurm %s', (version) => {
  const { records, numUnparsed } = parseSqueue(recorded(version, 'squeue'));

  it('is read as a whole', () => {
    expect(numUnparsed).toBe(0);
    expect(records).toHaveLength(18);
  });

  it('shows a running job with its nodes and times', () => {
    const job = byName(records, 'worker_7_0c1d');
    expect(job).toMatchObject({ state: { name: 'RUNNING' }, numNodes: 2, timeLimitSeconds: 3600, restartCount: 0 });
    expect(job.nodeList).toMatch(/^[cn]\[\d-\d\]$/);
    expect((job.endTimeMs ?? 0) - (job.startTimeMs ?? 0)).toBe(3_600_000);
  });

  it.each([
    ['ok', 'COMPLETED'],
    ['failed 42', 'FAILED'],
    ['canceled', 'CANCELLED'],
    ['heldcancel', 'CANCELLED'],
    ['launchfail', 'FAILED'],
  ])('shows the end of %j without accounting', (name, state) => {
    const job = byName(records, name);
    expect(job.state.name).toBe(state);
    expect(isFinal(job.state)).toBe(true);
  });

  it('shows why jobs wait, and a requeued one with its restart count', () => {
    expect(byName(records, 'held with spaces')).toMatchObject({
      reason: 'JobHeldUser',
      nodeList: null,
      startTimeMs: null,
    });
    expect(byName(records, 'dependent').reason).toBe('DependencyNeverSatisfied');
    expect(byName(records, 'big')).toMatchObject({ reason: 'Resources', timeLimitSeconds: 2 * 86_400 });
    expect(byName(records, 'requeued')).toMatchObject({
      state: { name: 'PENDING' },
      restartCount: 1,
      reason: 'BeginTime',
    });
  });

  it('keeps a name with the separator in it, quotes and letters beyond ASCII', () => {
    expect(byName(records, 'na|me é "x" 100%').state.name).toBe('FAILED');
  });

  it('gives each task of an array its own id', () => {
    const tasks = records.filter((job) => job.name === 'array');
    expect(new Set(tasks.map((job) => job.slurmJobId)).size).toBe(4);
    expect(tasks.map((job) => job.arrayTask).sort()).toEqual(['0', '1', '2', '3']);
  });

  it('is the same with SLURM_CLUSTERS set', () => {
    const clusters = parseSqueue(recorded(version, 'squeue-clusters'));
    expect(clusters.numUnparsed).toBe(0);
    expect(clusters.records.map((job) => job.slurmJobId)).toEqual(records.map((job) => job.slurmJobId));
  });

  it('shows COMPLETING as neither running nor over', () => {
    const early = parseSqueue(recorded(version, 'squeue-early'));
    expect(early.numUnparsed).toBe(0);
    for (const job of early.records) expect(job.state.phase).not.toBe('unknown');
  });
});

describe.each(versions)('sacct of Slurm %s', (version) => {
  const { records, numUnparsed } = parseSacct(recorded(version, 'sacct'));
  const jobs = records.filter((record) => record.step === null);

  it('is read as a whole', () => {
    expect(numUnparsed).toBe(0);
    expect(records.length).toBeGreaterThan(30);
    for (const record of records) expect(record.state.phase).not.toBe('unknown');
  });

  it.each([
    ['ok', 'COMPLETED', '0:0'],
    ['failed 42', 'FAILED', '42:0'],
    ['timeout', 'TIMEOUT', '0:0'],
    ['launchfail', 'FAILED', '0:53'],
    ['canceled', 'CANCELLED', '0:0'],
  ])('%j ended as %s %s', (name, state, exit) => {
    const job = byName(jobs, name);
    expect([job.state.name, `${job.exit?.exitCode}:${job.exit?.signal}`]).toEqual([state, exit]);
    expect(job.endTimeMs).not.toBeNull();
  });

  it('says who canceled it', () => {
    expect(byName(jobs, 'canceled').state.canceledBy).toBe('1000');
  });

  it('has a record for each start of a requeued job', () => {
    const starts = jobs.filter((job) => job.name === 'requeued');
    expect(starts.map((job) => job.state.name)).toEqual(['REQUEUED', 'PENDING']);
    expect(starts.every((job) => !isFinal(job.state))).toBe(true);
    expect(starts[1]?.submitTimeMs).toBeGreaterThan(starts[0]?.submitTimeMs ?? 0);
  });

  it('tells steps from jobs', () => {
    const ofSteps = records.filter((record) => record.slurmJobId === byName(jobs, 'steps').slurmJobId);
    const shown = (record: AccountedJob) =>
      `${record.step} ${record.state.name} ${record.exit?.exitCode}:${record.exit?.signal}`;
    expect(ofSteps.map(shown)).toEqual([
      'null COMPLETED 0:0',
      'batch COMPLETED 0:0',
      '0 COMPLETED 0:0',
      '1 FAILED 1:0',
      '2 CANCELLED 0:9',
    ]);
    expect(ofSteps[0]?.derivedExit).not.toBeNull();
  });

  it('gives array tasks their own ids', () => {
    const tasks = jobs.filter((job) => job.name === 'array');
    expect(new Set(tasks.map((job) => job.slurmJobId)).size).toBe(4);
  });
});

it('recognizes out of memory', () => {
  const { records } = parseSacct(recorded('22.05', 'sacct'));
  const job = byName(records, 'oom');
  expect(job).toMatchObject({ state: { name: 'OUT_OF_MEMORY', cause: 'oom' }, exit: { exitCode: 0, signal: 125 } });
  const queued = byName(parseSqueue(recorded('22.05', 'squeue')).records, 'oom');
  expect(queued).toMatchObject({ state: { name: 'OUT_OF_MEMORY' }, reason: 'OutOfMemory' });
});

describe.each(versions)('scontrol and sinfo of Slurm %s', (version) => {
  const jobs = parseScontrolJobs(recorded(version, 'scontrol'));

  it('agree with squeue about every job', () => {
    const queued = parseSqueue(recorded(version, 'squeue')).records;
    expect(jobs.numUnparsed).toBe(0);
    const facts = (job: (typeof queued)[number]) => [
      job.slurmJobId,
      job.name,
      job.state.name,
      job.restartCount,
      job.nodeList,
    ];
    const sorted = (list: typeof queued) => list.map(facts).sort((a, b) => Number(a[0]) - Number(b[0]));
    expect(sorted(jobs.records)).toEqual(sorted(queued));
  });

  it('show exit status and paths', () => {
    const job = byName(jobs.records, 'failed 42');
    expect(job).toMatchObject({ exit: { exitCode: 42, signal: 0 }, reason: 'NonZeroExitCode', numNodes: 1 });
    expect(job.fields.get('StdOut')).toBe('/dev/null');
  });

  it('show partitions', () => {
    const { records, numUnparsed } = parseSinfo(recorded(version, 'sinfo'));
    expect(numUnparsed).toBe(0);
    expect(records[0]).toMatchObject({
      partition: 'main',
      isDefault: true,
      isUp: true,
      maxTimeSeconds: null,
      numNodes: 2,
      cpusPerNode: 4,
      memoryBytesPerNode: 2000 * 1024 * 1024,
      gres: null,
    });
  });
});

describe('odd output', () => {
  const good = recorded('22.05', 'squeue').split('\n')[0] ?? '';

  it('loses only the lines that it is on', () => {
    const text = ['Welcome to the cluster!', good, 'squeue: warning: slow', '', '1|2|3', good, '|||||||||||||'].join(
      '\r\n',
    );
    const { records, numUnparsed } = parseSqueue(text);
    expect(records.map((job) => job.slurmJobId)).toEqual(['9', '9']);
    expect(numUnparsed).toBe(4);
  });

  it('keeps a job in a state of a later Slurm', () => {
    const { records } = parseSqueue(good.replace('CANCELLED', 'TELEPORTING'));
    expect(records[0]?.state).toMatchObject({ name: 'TELEPORTING', phase: 'unknown' });
  });

  it('is not deceived by a job name that looks like fields', () => {
    const name = 'x   JobState=COMPLETED ExitCode=0:0 JobId=1';
    const text = `JobId=26 JobName=${name}\n   JobState=RUNNING Reason=None\n   Comment=JobState=FAILED\n   Restarts=2 ExitCode=0:9\n`;
    expect(parseScontrolJobs(text).records[0]).toMatchObject({
      slurmJobId: '26',
      name,
      state: { name: 'RUNNING' },
      restartCount: 2,
      exit: { exitCode: 0, signal: 9 },
    });
  });

  it('is empty when there is nothing', () => {
    for (const parse of [parseSqueue, parseSacct, parseSinfo, parseScontrolJobs]) {
      expect(parse('')).toEqual({ records: [], numUnparsed: 0 });
      expect(parse('\n\n')).toEqual({ records: [], numUnparsed: 0 });
    }
    expect(parseScontrolJobs('No jobs in the system\n')).toEqual({ records: [], numUnparsed: 0 });
  });
});
