/** How often the programs of Slurm are run, counted by programs themselves: fake ones on PATH, on a clock that jumps. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Autoscaler } from '../../src/server/actions/autoscaler.ts';
import { Reconciler } from '../../src/server/evidence/reconcile.ts';
import { openService } from '../../src/server/open.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { systemSlurm } from '../../src/slurm/commands.ts';
import { type RunCommand, runCommand } from '../../src/slurm/run.ts';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { FakeClock, fakeMachine } from '../support/fake-machine.ts';
import { createWorkflow, temporaryDirectory } from '../support/service.ts';

const minutes = 5;

it('squeue and sacct run twice a minute at most with a thousand allocations and an autoscaler, sbatch as often as it may', async () => {
  const programs = new FakeSlurm();
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const service = await openService(directory, clock, 'test');
  let numRunning = 0;
  const run: RunCommand = async (...call) => {
    numRunning += 1;
    return await runCommand(...call).finally(() => {
      numRunning -= 1;
    });
  };
  service.machine = { ...fakeMachine(clock), slurm: systemSlurm(programs.env, run) };
  service.beginEpoch();
  const parts = [new Timekeeper(service), new Reconciler(service), new Autoscaler(service, 6)];
  for (const part of parts) part.start();
  /** Lets time pass; programs end before more of it does. */
  const pass = async (seconds: number): Promise<void> => {
    for (let left = seconds; left > 0; left -= 5) {
      await clock.advance(5_000);
      await expect.poll(() => numRunning, { timeout: 60_000, interval: 5 }).toBe(0);
    }
  };

  const jobs = Array.from({ length: 1_100 }, (_, at) => ({ name: `j${at}`, runtime: 3_000 }));
  const key = await createWorkflow(service, jobs, [], { slurmConfigs: [{ name: 'c', extra: '--cpus-per-task=1' }] });
  const settings = { output_directory: join(directory, 'out'), max_nodes: 1_000, max_queued: 1_000 };
  const fields = { num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/o' };
  const names = Array.from({ length: 1_000 - 6 * minutes }, (_, at) => `by_hand_${at}`);
  const { allocation_keys } = await service.call('allocations_record', {
    ...{ workflow_key: key, slurm_config_key: '1' },
    allocations: names.map((name) => ({ name, ...fields })),
  });
  mkdirSync(join(programs.directory, 'jobs'), { recursive: true });
  for (const [at, name] of names.entries()) {
    const id = String(5_000 + at);
    const times = { submitMs: Date.now(), startMs: null, endMs: null };
    const job = { ...{ id, name, state: 'PENDING', reason: 'Priority', restarts: 0, exit: '0:0' }, ...times };
    const place = { numNodes: 1, partition: 'main', timeLimitSeconds: 3600, output: 'o', directives: {}, script: '' };
    writeFileSync(join(programs.directory, 'jobs', `${id}.json`), JSON.stringify({ ...job, ...place }));
    const confirmed = { slurm_job_id: id, cluster: null, error: null };
    await service.call('allocation_confirm', { allocation_key: allocation_keys[at] ?? '', ...confirmed });
  }
  await service.call('workflow_autoscale', { workflow_key: key, dry_run: false, settings });

  await pass(60 * minutes);
  const open = `SELECT count(*) AS n FROM allocations WHERE status IN ('recorded', 'submitted', 'running')`;
  expect(service.db.get<{ n: number }>(open)?.n).toBe(1_000);
  const count = (...commands: string[]) => commands.flatMap((command) => programs.calls(command)).length;
  expect(count('sbatch')).toBe(6 * minutes);
  expect(count('squeue', 'sacct', 'scontrol', 'sinfo')).toBeLessThanOrEqual(2 * minutes);
  expect(count('squeue')).toBeGreaterThanOrEqual(minutes - 1);
  for (const part of parts) await part.close();
  await service.close();
  programs.remove();
  rmSync(directory, { recursive: true, force: true });
}, 600_000);
