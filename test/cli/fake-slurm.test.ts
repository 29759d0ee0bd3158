/** Slurm's commands through real processes, with the fake Slurm on the PATH, which the tests of the CLI use. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { workerNodeOptions } from '../../src/base/program.ts';
import { answered } from '../../src/slurm/answers.ts';
import { type SlurmCommands, systemSlurm } from '../../src/slurm/commands.ts';
import { runCommand } from '../../src/slurm/run.ts';
import { allocationScript, type Launch, type SlurmConfig, slurmOutputDirectory } from '../../src/slurm/script.ts';
import { type FakeSettings, FakeSlurm } from '../fake-slurm/fake-slurm.ts';

const fakes: FakeSlurm[] = [];
afterEach(() => {
  for (const fake of fakes.splice(0)) fake.remove();
});

function start(settings: Partial<FakeSettings> = {}, variables: Record<string, string> = {}) {
  const fake = new FakeSlurm(settings);
  fakes.push(fake);
  return { fake, slurm: systemSlurm({ ...fake.env, ...variables }) };
}

const config: SlurmConfig = {
  account: 'a "b"',
  partition: null,
  qos: null,
  walltimeSeconds: 600,
  numNodes: 1,
  ntasksPerNode: null,
  mem: '1G',
  tmp: null,
  gres: 'gpu:2',
  extra: null,
};

/** Submits an allocation whose worker is a shell script; `body` sees the worker's arguments and environment. */
async function submit(
  fake: FakeSlurm,
  slurm: SlurmCommands,
  body: string,
  changes: { config?: Partial<SlurmConfig>; launch?: Partial<Launch> } = {},
) {
  const worker = join(fake.directory, 'worker');
  writeFileSync(worker, `#!/bin/bash\n${body}\n`);
  chmodSync(worker, 0o755);
  const outputDirectory = join(fake.directory, 'out put');
  mkdirSync(slurmOutputDirectory(fake.directory), { recursive: true });
  const launch: Launch = {
    jobName: 'w, 1',
    outputDirectory,
    workingDirectory: null,
    nodeBinary: worker,
    torcMain: 'main.js',
    serverDirectory: fake.directory,
    workflowKey: '7',
    allocationKey: '3',
    maxParallelJobs: null,
    pollIntervalSeconds: null,
    oneWorkerPerNode: false,
    warningSeconds: 60,
    ...changes.launch,
  };
  const script = allocationScript({ ...config, ...changes.config }, launch);
  const { slurmJobId } = await slurm.sbatch(script, { jobName: launch.jobName, workingDirectory: fake.directory });
  const output = () =>
    readFileSync(join(slurmOutputDirectory(fake.directory), `${launch.jobName}_${slurmJobId}.out`), 'utf8');
  return { slurmJobId, output };
}

const stateOf = async (slurm: SlurmCommands, id: string) =>
  answered(await slurm.squeue({ ids: [id] })).records[0]?.state.name;
/** Whether a process runs; a zombie does not. */
function isRunning(pid: number): boolean {
  expect(pid).toBeGreaterThan(1);
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
const until = (condition: () => unknown) => expect.poll(condition, { interval: 50 });

describe('the fake Slurm', () => {
  it('queues what is submitted, answers about it, and cancels it', async () => {
    const { fake, slurm } = start();
    const { slurmJobId } = await submit(fake, slurm, 'true');
    expect(answered(await slurm.squeue({ ids: [slurmJobId] })).records).toMatchObject([
      { slurmJobId, name: 'w, 1', state: { name: 'PENDING' }, timeLimitSeconds: 600 },
    ]);
    expect(answered(await slurm.squeue({ names: ['w, 1'] })).records).toHaveLength(1);
    expect(fake.job(slurmJobId).directives.account).toBe('a "b"');
    expect(await slurm.scancel([slurmJobId, '999'])).toMatchObject({ kind: 'ok' });
    expect(answered(await slurm.sacct([slurmJobId], 0)).records).toMatchObject([
      { state: { name: 'CANCELLED', canceledBy: String(process.getuid?.()) } },
    ]);
    expect(answered(await slurm.scontrolShowJob(slurmJobId))).toMatchObject({ name: 'w, 1' });
    expect(answered(await slurm.scontrolShowJob('999'))).toBeNull();
    expect(answered(await slurm.sinfo()).records[0]).toMatchObject({ partition: 'main', isDefault: true });
  });

  it('runs the script with the variables and the directory of an allocation', async () => {
    const { fake, slurm } = start({ run: true }, { SLURM_JOB_ID: '99', TORC_ATTEMPT_ID: '5' });
    const body = 'echo "$PWD|$SLURM_JOB_ID|$SLURM_MEM_PER_NODE|$CUDA_VISIBLE_DEVICES|$TORC_ATTEMPT_ID|$*"';
    const { slurmJobId, output } = await submit(fake, slurm, body);
    await until(() => stateOf(slurm, slurmJobId)).toBe('COMPLETED');
    const words = `${workerNodeOptions.join(' ')} main.js --dir ${fake.directory} hpc slurm`;
    expect(output()).toMatch(`${fake.directory}|${slurmJobId}|1024|0,1||${words}`);
  });

  it('asks a canceled worker to end, and waits for it', async () => {
    const { fake, slurm } = start({ run: true, killWaitSeconds: 60 });
    const body = 'trap "echo told; exit 0" TERM; echo up; while :; do sleep 0.05; done';
    const { slurmJobId, output } = await submit(fake, slurm, body);
    await until(() => output()).toContain('up');
    await slurm.scancel([slurmJobId]);
    await until(() => stateOf(slurm, slurmJobId)).toBe('CANCELLED');
    expect(output()).toBe('up\ntold\n');
  });

  it('kills what does not end in time, in any session', async () => {
    const { fake, slurm } = start({ run: true, killWaitSeconds: 0 });
    const body = 'trap "" TERM; setsid sleep 300 & echo $!; wait; wait';
    const { slurmJobId, output } = await submit(fake, slurm, body);
    await until(() => output()).toMatch(/^\d+\n/);
    await slurm.scancel([slurmJobId]);
    await until(() => stateOf(slurm, slurmJobId)).toBe('CANCELLED');
    // killed, and soon dead
    await until(() => isRunning(Number(output().split('\n')[0]))).toBe(false);
  });

  it('starts a requeued job again under its id, with its restart count and both outputs', async () => {
    const { fake, slurm } = start({ run: true });
    const body = 'echo "start $SLURM_RESTART_COUNT"; [ -n "$SLURM_RESTART_COUNT" ] || exec sleep 300';
    const { slurmJobId, output } = await submit(fake, slurm, body);
    await until(() => output()).toBe('start \n');
    fake.requeue(slurmJobId);
    await until(() => stateOf(slurm, slurmJobId)).toBe('COMPLETED');
    expect(output()).toContain('start \nstart 1\n');
    const starts = answered(await slurm.sacct([slurmJobId], 0)).records;
    expect(starts.map((job) => job.state.name)).toEqual(['REQUEUED', 'COMPLETED']);
    expect(answered(await slurm.squeue({ ids: [slurmJobId] })).records[0]?.restartCount).toBe(1);
  });

  it('starts a worker on each node when the script asks for it', async () => {
    const { fake, slurm } = start({ run: true });
    const { slurmJobId, output } = await submit(fake, slurm, 'echo "$SLURM_NODEID $SLURMD_NODENAME"', {
      config: { numNodes: 3 },
      launch: { oneWorkerPerNode: true },
    });
    await until(() => stateOf(slurm, slurmJobId)).toBe('COMPLETED');
    expect(output().trim().split('\n').sort()).toEqual(['0 fake1', '1 fake2', '2 fake3']);
  });

  it('shows a launch failure when the output directory does not exist', async () => {
    const { fake, slurm } = start({ run: true });
    const script = `#!/bin/bash\n#SBATCH --job-name=lost\n#SBATCH --output=${fake.directory}/missing/x\ntrue\n`;
    const { slurmJobId } = await slurm.sbatch(script, { jobName: 'lost' });
    await until(() => stateOf(slurm, slurmJobId)).toBe('FAILED');
    expect(answered(await slurm.sacct([slurmJobId], 0)).records[0]?.exit).toEqual({ exitCode: 0, signal: 53 });
  });

  it('loses a node with everything on it', async () => {
    const { fake, slurm } = start({ run: true });
    const { slurmJobId, output } = await submit(fake, slurm, 'echo $$; sleep 300');
    await until(() => output()).toMatch(/^\d+\n/);
    fake.failNode(slurmJobId);
    expect(await stateOf(slurm, slurmJobId)).toBe('NODE_FAIL');
    await until(() => isRunning(Number(output().split('\n')[0]))).toBe(false);
  });

  it('misbehaves as configured, and counts the calls', async () => {
    const { fake, slurm } = start({ accounting: false });
    fake.behave({
      command: 'squeue',
      exitCode: 1,
      stderr: 'slurm_load_jobs error: Unable to contact slurm controller\n',
    });
    expect(await slurm.squeue({ ids: ['1', '2'] })).toMatchObject({ kind: 'failed' });
    expect(await slurm.squeue({ ids: ['1', '2'] })).toMatchObject({ kind: 'ok', value: { records: [] } });
    expect(await slurm.squeue({ ids: ['1'] })).toMatchObject({ kind: 'ok', value: { records: [] } });
    expect(await slurm.sacct(['1'], 0)).toMatchObject({ kind: 'failed', reason: expect.stringContaining('disabled') });
    fake.behave({ command: 'sbatch', instead: false, stdout: 'Welcome!\n' });
    expect((await submit(fake, slurm, 'true')).slurmJobId).toBe('1');
    fake.behave({ command: 'sbatch', exitCode: 1, stderr: 'sbatch: error: Invalid account\n' });
    await expect(submit(fake, slurm, 'true')).rejects.toMatchObject({
      code: 'slurm',
      message: 'sbatch: Invalid account.',
    });
    expect(fake.calls('squeue')).toHaveLength(3);
    expect(fake.calls('sbatch')).toHaveLength(2);
  });

  it('forgets ended jobs in squeue if configured so, and keeps them in sacct', async () => {
    const { fake, slurm } = start({ forgetsEnded: true });
    const { slurmJobId } = await submit(fake, slurm, 'true');
    fake.setJob(slurmJobId, { state: 'OUT_OF_MEMORY', exit: '0:125' });
    expect(answered(await slurm.squeue({ ids: [slurmJobId] })).records).toEqual([]);
    expect(answered(await slurm.sacct([slurmJobId], 0)).records[0]?.state.cause).toBe('oom');
  });
});

describe('without Slurm', () => {
  it('a missing directory is not mistaken for a missing command', async () => {
    const { fake, slurm } = start();
    const script = '#!/bin/bash\n';
    const submitted = slurm.sbatch(script, { jobName: 's', workingDirectory: join(fake.directory, 'missing') });
    await expect(submitted).rejects.toMatchObject({
      code: 'slurm',
      message: expect.stringContaining('does not exist'),
    });
  });

  it('a hanging command times out', async () => {
    const { fake } = start();
    fake.behave({ command: 'squeue', delayMs: 60_000 });
    const result = await runCommand('squeue', [], { variables: fake.env, seconds: 0.5, workingDirectory: null });
    expect(result).toMatchObject({ kind: 'timeout', seconds: 0.5 });
  });

  it('every command says so', async () => {
    const { fake } = start();
    const slurm = systemSlurm({ PATH: fake.directory });
    const script = '#!/bin/bash\n';
    const words = expect.stringContaining('was not found on this machine');
    await expect(slurm.sbatch(script, { jobName: 's' })).rejects.toMatchObject({ code: 'slurm', message: words });
    expect(await slurm.squeue({ ids: ['1'] })).toMatchObject({ kind: 'failed', reason: words });
    expect(await slurm.scancel(['1'])).toMatchObject({ kind: 'failed', reason: words });
  });
});

it('srun ends as its command does, and with 128 and the signal for one that a signal ended', async () => {
  const { fake } = start();
  const ending = async (script: string) => {
    const limits = { variables: fake.env, seconds: 60, workingDirectory: null };
    const result = await runCommand('srun', ['--nodes=1', 'bash', '-c', script], limits);
    return result.kind === 'ended' ? result.exitCode : result.kind;
  };
  expect(await ending('exit 9')).toBe(9);
  expect(await ending('kill -KILL $$')).toBe(137);
  expect(await ending('kill -TERM $$')).toBe(143);
});
