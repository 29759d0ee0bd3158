/** Garbage that Slurm or a wrapper prints instead of an answer decides nothing about allocations and jobs. */
import { readFileSync, rmSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import { gatherEvidence } from '../../src/server/evidence/gather.ts';
import { openService } from '../../src/server/open.ts';
import { systemSlurm } from '../../src/slurm/commands.ts';
import { applyEvidence } from '../../src/storage/evidence/apply.ts';
import { FakeClock, fakeMachine } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, rows, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

const slurmJobId = '7000007';
const name = 'torc alloc';
const row = `${slurmJobId}|${slurmJobId}|RUNNING|0|2026-01-01T00:00:00|2026-01-01T00:00:00|N/A|UNLIMITED|None|1|n1|main|${name}|`;
const recorded = (version: string, command: string) =>
  readFileSync(new URL(`../fixtures/slurm/${version}/${command}.txt`, import.meta.url), 'utf8');

/** The allocation's line, cut before its last fields, among other lines. */
const cutRow = fc.integer({ min: 1, max: row.lastIndexOf('|main') }).map((end) => row.slice(0, end));
const others = (command: string) =>
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', '\0', '|||||||||||||||', recorded('22.05', command), recorded('24.11', command)),
  );
const answer = fc.record({
  squeue: fc.tuple(others('squeue'), cutRow, others('squeue')).map((lines) => lines.join('\n')),
  sacct: fc
    .tuple(others('sacct'), fc.constantFrom('', row, `${slurmJobId}|`, `${slurmJobId}.batch|x|FAILED`))
    .map((lines) => lines.join('\n')),
});

const config = { name: 'c', account: 'x', partition: null, qos: null, walltime_seconds: 60, num_nodes: 1 };
const more = { ntasks_per_node: null, mem: null, tmp: null, gres: null, extra: null };

it('for minutes, while the worker is silent: it keeps its jobs, and the allocation stays running', async () => {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const service = await openService(directory, clock, 'test');
  let said = { squeue: '', sacct: '' };
  const run = async (command: string) => {
    const stdout = command === 'squeue' ? said.squeue : said.sacct;
    return { kind: 'ended' as const, exitCode: 0, stdout, stderr: '' };
  };
  service.machine = { ...fakeMachine(clock), slurm: systemSlurm({}, run) };
  const key = await createWorkflow(service, [{ name: 'a' }]);
  const { slurm_config_key } = await service.call('slurm_config_add', { workflow_key: key, ...config, ...more });
  const place = { num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/out' };
  const recording: Request<'allocations_record'> = {
    workflow_key: key,
    slurm_config_key,
    allocations: [{ name, ...place }],
  };
  const [allocation_key = ''] = (await service.call('allocations_record', recording)).allocation_keys;
  await service.call('allocation_confirm', { allocation_key, slurm_job_id: slurmJobId, cluster: 'lab', error: null });
  const job = { slurmJobId, hostname: 'n1', restartCount: 0, allocationKey: allocation_key };
  const worker = await TestWorker.join(service, key, { cpus: 2 }, job);
  await worker.exchange();
  await worker.exchange({ started: worker.held.map((attempt) => ({ attempt, age_ms: 0, pid: 1 })) });

  const look = async (): Promise<void> => {
    const gathering = gatherEvidence(service, { workflowKey: null, isAsked: true });
    await clock.advance(45_000);
    const evidence = await gathering;
    await service.write((tx) => applyEvidence(tx, evidence));
  };
  const state = async () => [
    await statuses(service, key),
    await rows(service, 'jobs', key, { orphaned: 'true' }),
    (await rows(service, 'allocations', key)).map(({ status }) => status),
    brokenInvariants(service.db),
  ];
  const before = [{ a: 'submitted' }, [], ['running'], []];
  said = { squeue: row, sacct: '' };
  await look();
  expect(await state()).toEqual(before);
  await fc.assert(
    fc.asyncProperty(answer, async (garbage) => {
      said = garbage;
      await look();
      expect(await state()).toEqual(before);
    }),
    { numRuns: 40 },
  );
  // and that it can be believed when it is readable
  said = { squeue: '', sacct: '' };
  for (let time = 0; time < 4; time += 1) await look();
  expect(await rows(service, 'jobs', key, { orphaned: 'true' })).toHaveLength(1);
  await service.close();
  rmSync(directory, { recursive: true });
});
