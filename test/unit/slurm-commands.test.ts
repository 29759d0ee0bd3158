import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { answered } from '../../src/slurm/answers.ts';
import { systemSlurm } from '../../src/slurm/commands.ts';
import { ownWords, submittedId } from '../../src/slurm/replies.ts';
import type { RunCommand, RunOptions, RunResult } from '../../src/slurm/run.ts';
import { isOutcomeUnknown } from '../../src/slurm/submit-errors.ts';
import { overridingVariables, queryVariables, submitVariables } from '../../src/slurm/variables.ts';

const script = '#!/bin/bash\n#SBATCH --job-name=w1\n#SBATCH --partition=main\n';

const ended = (stdout: string, stderr = '', exitCode: number | null = 0): RunResult => ({
  kind: 'ended',
  exitCode,
  stdout,
  stderr,
});

/** Slurm's commands with prepared results, in order; `calls` records the calls. */
function slurmThatSays(...results: RunResult[]) {
  const calls: { command: string; args: readonly string[]; options: RunOptions }[] = [];
  const run: RunCommand = async (command, args, options) => {
    calls.push({ command, args, options });
    const result = results.shift();
    if (result === undefined) throw new Error(`nothing was prepared for ${command} ${args.join(' ')}`);
    return result;
  };
  return { slurm: systemSlurm({ PATH: '/bin', SLURM_JOB_ID: '9' }, run), calls };
}
const squeueLine = (id: string, name: string) =>
  `${id}|${id}|RUNNING|0|2026-11-21T02:13:34|N/A|N/A|1:00:00|None|1|c1|main|${name}|\n`;

describe('sbatch', () => {
  it.each([
    ['26\n', { slurmJobId: '26', cluster: null }],
    ['26;torc\n', { slurmJobId: '26', cluster: 'torc' }],
    ['Checking your quota: plenty.\nThe project is fine.\n\n26\n', { slurmJobId: '26', cluster: null }],
    ['26\nYour allocation will start soon.\n', { slurmJobId: '26', cluster: null }],
    ['Submitted batch job 26\n', { slurmJobId: '26', cluster: null }],
    ['Submitted batch job 26 on cluster torc\n', { slurmJobId: '26', cluster: 'torc' }],
    ['Submitted batch job 26 on cluster torc2\r\n', { slurmJobId: '26', cluster: 'torc2' }],
  ])('finds the id in %j', async (stdout, expected) => {
    const { slurm, calls } = slurmThatSays(ended(stdout, 'sbatch: warning: slow partition\n'));
    const submission = await slurm.sbatch(script, { jobName: 'w1', workingDirectory: '/work dir' });
    expect(submission).toEqual({ ...expected, notice: 'warning: slow partition' });
    expect(calls[0]).toMatchObject({ command: 'sbatch', args: ['--parsable'] });
    expect(calls[0]?.options.input).toBe(script);
    expect(calls[0]?.options.workingDirectory).toBe('/work dir');
    expect(calls[0]?.options.variables).toEqual({ PATH: '/bin' });
  });

  const unclear = ['26\n12\n', '12\n26\n', 'quota: 12 of 20\n26\n', '26\nproject 77\n', '26\n26\n', '26;a\n27;a\n'];
  it.each(['', 'ok\n', '0\n', '-5\n', '26 27\n', 'job 26\n', ...unclear])('finds none in %j', (stdout) => {
    expect(submittedId(stdout)).toBeNull();
  });

  it('refuses with sbatch’s own words and a hint', async () => {
    const stderr =
      'sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n';
    const { slurm } = slurmThatSays(ended('', stderr, 1));
    await expect(slurm.sbatch(script, { jobName: 'w1' })).rejects.toMatchObject({
      code: 'slurm',
      exitCode: 6,
      message:
        'sbatch: invalid partition specified: nope / Batch job submission failed: Invalid partition name specified.',
      hint: expect.stringContaining('list-configs'),
    });
  });

  it('says where to go when Slurm is missing', async () => {
    const { slurm } = slurmThatSays({ kind: 'missing' });
    await expect(slurm.sbatch(script, { jobName: 'w1' })).rejects.toMatchObject({
      code: 'slurm',
      message: 'The command sbatch was not found on this machine.',
      hint: expect.stringContaining('login node'),
    });
  });

  const timedOut = ended(
    '',
    'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n',
    1,
  );
  it.each([
    ['no answer within its time', { kind: 'timeout', seconds: 180, stdout: '', stderr: '' } as RunResult],
    ['a reply without an id', ended('thank you\n')],
    ['a reply with another number', ended('26\n25\n')],
    ['an answer lost on the way', timedOut],
    ['its death', ended('', '', null)],
  ])('looks for the job by its name after %s', async (_, result) => {
    const { slurm, calls } = slurmThatSays(result, ended(squeueLine('25', 'w11') + squeueLine('26', 'w1')));
    expect(await slurm.sbatch(script, { jobName: 'w1' })).toMatchObject({ slurmJobId: '26' });
    expect(calls.map((call) => call.command)).toEqual(['sbatch', 'squeue']);
  });

  it.each([
    ['finds none', ended('')],
    ['finds two', ended(squeueLine('25', 'w1') + squeueLine('26', 'w1'))],
    ['gets no answer', ended('', 'slurm_load_jobs error: Unable to contact slurm controller', 1)],
  ])('says that it does not know when that search %s', async (_, answer) => {
    const { slurm } = slurmThatSays(timedOut, answer);
    const error: unknown = await slurm.sbatch(script, { jobName: 'w1' }).catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: 'slurm',
      message: expect.stringContaining('not known whether'),
      hint: expect.stringContaining('squeue --name=w1'),
    });
    expect(isOutcomeUnknown(error)).toBe(true);
  });

  it('repeats what was printed when the queue cannot tell which number is the id', async () => {
    const { slurm } = slurmThatSays(ended('4711\nbalance: 12\n'), ended(''));
    const error: unknown = await slurm.sbatch(script, { jobName: 'w1' }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'slurm', message: expect.stringContaining('"4711 / balance: 12"') });
    expect(isOutcomeUnknown(error)).toBe(true);
  });

  it('knows that nothing was submitted when slurmctld could not be reached', async () => {
    const words = 'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n';
    const { slurm, calls } = slurmThatSays(ended('', words, 1));
    const error: unknown = await slurm.sbatch(script, { jobName: 'w1' }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'slurm', hint: expect.stringContaining('Try again') });
    expect(isOutcomeUnknown(error)).toBe(false);
    expect(calls).toHaveLength(1);
  });
});

describe('queries', () => {
  it('ask squeue for everything at once, with an explicit format and without a header', async () => {
    const { slurm, calls } = slurmThatSays(ended(squeueLine('1', 'a') + squeueLine('2', 'b') + squeueLine('3', 'c')));
    const answer = answered(await slurm.squeue({ ids: ['1', '3', '4'] }));
    expect(answer.records.map((job) => job.slurmJobId)).toEqual(['1', '3']);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.args).toEqual(expect.arrayContaining(['--noheader', '--states=all', '--jobs=1,3,4']));
    expect(calls[0]?.options.variables).toMatchObject({ LC_ALL: 'C', TZ: 'UTC' });
  });

  it('ask for nothing when nothing is wanted', async () => {
    const { slurm, calls } = slurmThatSays();
    expect(await slurm.squeue({ ids: [] })).toMatchObject({ kind: 'ok', value: { records: [] } });
    expect(await slurm.squeue({ names: [] })).toMatchObject({ kind: 'ok', value: { records: [] } });
    expect(await slurm.sacct([], 0)).toMatchObject({ kind: 'ok', value: { records: [] } });
    expect(await slurm.scancel([])).toMatchObject({ kind: 'ok' });
    expect(calls).toHaveLength(0);
  });

  it('ask once for ids and names together', async () => {
    const { slurm, calls } = slurmThatSays(ended(squeueLine('1', 'a') + squeueLine('2', 'b') + squeueLine('3', 'c')));
    const answer = answered(await slurm.squeue({ ids: ['1'], names: ['c'] }));
    expect(answer.records.map((job) => job.slurmJobId)).toEqual(['1', '3']);
    expect(calls).toHaveLength(1);
  });

  it('find names exactly, also those with commas, among this user’s jobs only', async () => {
    const { slurm, calls } = slurmThatSays(ended(squeueLine('1', 'a') + squeueLine('2', 'a,b') + squeueLine('3', 'b')));
    const answer = answered(await slurm.squeue({ names: ['a,b'] }));
    expect(answer.records.map((job) => job.slurmJobId)).toEqual(['2']);
    expect(calls[0]?.args).toContain(`--user=${process.getuid?.()}`);
  });

  it('cut very long lists of ids into several calls and join the answers', async () => {
    const ids = Array.from({ length: 5001 }, (_, index) => String(index + 1));
    const { slurm, calls } = slurmThatSays(ended(squeueLine('1', 'a')), ended(squeueLine('5001', 'z')));
    expect(answered(await slurm.squeue({ ids })).records).toHaveLength(2);
    expect(calls.map((call) => call.args.at(-1)?.length ?? 0).every((length) => length < 100_000)).toBe(true);
  });

  it('do not mistake a failure for an empty answer', async () => {
    const down = ended('', 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n', 1);
    const timeout: RunResult = { kind: 'timeout', seconds: 100, stdout: '', stderr: '' };
    const { slurm } = slurmThatSays(
      down,
      timeout,
      { kind: 'missing' },
      ended('', 'Slurm accounting storage is disabled', 1),
    );
    expect(await slurm.squeue({ ids: ['1'] })).toEqual({
      kind: 'failed',
      reason: 'squeue: slurm_load_jobs error: Unable to contact slurm controller (connect failure).',
      hint: null,
    });
    expect(await slurm.squeue({ names: ['a'] })).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('100'),
    });
    expect(await slurm.sinfo()).toMatchObject({ kind: 'failed', hint: expect.stringContaining('login node') });
    const accounting = await slurm.sacct(['1'], 0);
    expect(accounting).toMatchObject({ kind: 'failed', reason: 'sacct: Slurm accounting storage is disabled.' });
    expect(() => answered(accounting)).toThrow('accounting');
  });

  it('accept an id that Slurm does not know as an answer', async () => {
    const unknown = ended('', 'slurm_load_jobs error: Invalid job id specified\n', 1);
    const { slurm } = slurmThatSays(unknown, unknown);
    expect(await slurm.squeue({ ids: ['999'] })).toEqual({ kind: 'ok', value: { records: [], numUnparsed: 0 } });
    expect(await slurm.scontrolShowJob('999')).toEqual({ kind: 'ok', value: null });
  });

  it('give sacct a start, so that midnight does not matter', async () => {
    const { slurm, calls } = slurmThatSays(ended(''));
    await slurm.sacct(['1'], Date.UTC(2026, 10, 20, 23, 59, 1));
    expect(calls[0]?.args).toEqual(
      expect.arrayContaining([
        '--starttime=2026-11-20T23:59:01',
        '--parsable2',
        '--noheader',
        '--duplicates',
        '--jobs=1',
      ]),
    );
  });
});

describe('scancel', () => {
  it('ignores ids that are gone, and nothing else', async () => {
    const gone = 'scancel: error: Kill job error on job id 8: Invalid job id specified\n';
    const denied = 'scancel: error: Kill job error on job id 9: Access/permission denied\n';
    const { slurm } = slurmThatSays(ended('', gone, 1), ended('', gone + denied, 1), ended('', '', 1));
    expect(await slurm.scancel(['8'])).toEqual({ kind: 'ok', value: null });
    expect(await slurm.scancel(['8', '9'])).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('denied'),
    });
    expect(await slurm.scancel(['8'])).toMatchObject({ kind: 'failed', reason: 'scancel ended with exit code 1.' });
  });
});

describe('variables', () => {
  const person = {
    PATH: '/bin',
    HOME: '/h',
    LANG: 'de_DE.UTF-8',
    TZ: 'Europe/Berlin',
    SLURM_CONF: '/etc/s',
    SLURM_CLUSTERS: 'x',
  };
  const inside = {
    SLURM_JOB_ID: '7',
    SLURM_MEM_PER_NODE: '100',
    SLURM_UMASK: '0077',
    SLURMD_NODENAME: 'c1',
    SRUN_DEBUG: '3',
    CUDA_VISIBLE_DEVICES: '0,1',
    TORC_ATTEMPT_ID: '1',
    TORC_JOB_ID: '4',
    TORC_WORKFLOW_KEY: '3',
    TORC_WORKFLOW_ID: '3',
    TORC_ALLOCATION_START: '1',
  };

  it('of queries contain nothing that changes formats, filters or prompts', () => {
    const set = { SQUEUE_FORMAT: '%i', SACCT_FORMAT: 'x', SCANCEL_INTERACTIVE: '1', SINFO_FORMAT: 'x', LC_TIME: 'de' };
    expect(queryVariables({ ...person, ...inside, ...set })).toEqual({
      PATH: '/bin',
      HOME: '/h',
      SLURM_CONF: '/etc/s',
      SLURM_CLUSTERS: 'x',
      CUDA_VISIBLE_DEVICES: '0,1',
      TORC_ATTEMPT_ID: '1',
      TORC_JOB_ID: '4',
      TORC_WORKFLOW_KEY: '3',
      TORC_WORKFLOW_ID: '3',
      TORC_ALLOCATION_START: '1',
      LC_ALL: 'C',
      TZ: 'UTC',
      SLURM_TIME_FORMAT: 'standard',
    });
  });

  it('of a submission inside an allocation carry nothing of that allocation or of its jobs', () => {
    expect(submitVariables({ ...person, ...inside }, '')).toEqual(person);
  });

  it('of a submission keep devices outside an allocation, and what the script leaves open', () => {
    const set = {
      CUDA_VISIBLE_DEVICES: '',
      SBATCH_RESERVATION: 'course',
      SBATCH_PARTITION: 'night',
      SBATCH_EXPORT: 'ALL',
    };
    expect(submitVariables({ ...person, ...set }, '#SBATCH --account=a\n')).toEqual({ ...person, ...set });
    expect(submitVariables({ ...person, ...set }, '#SBATCH --partition=day\n')).not.toHaveProperty('SBATCH_PARTITION');
  });

  it('that contradict a script follow from its directives', () => {
    const text = readFileSync(new URL('../fixtures/slurm/scripts/every-node.sbatch', import.meta.url), 'utf8');
    const names = [
      'ACCOUNT',
      'PARTITION',
      'QOS',
      'TIMELIMIT',
      'JOB_NAME',
      'OUTPUT',
      'OPEN_MODE',
      'SIGNAL',
      'GRES',
      'MEM_PER_CPU',
    ];
    const overriding = overridingVariables(text);
    for (const name of names) expect(overriding).toContain(`SBATCH_${name}`);
    expect(overriding).toContain('SBATCH_ARRAY_INX');
    expect(overriding).not.toContain('SBATCH_CONSTRAINT');
    expect(overridingVariables('#SBATCH "-Ca b"\n')).toContain('SBATCH_CONSTRAINT');
  });
});

describe('ownWords', () => {
  it.each([
    ['sbatch: error: one\nsbatch: error: one\nsbatch: two\n', 'one / two'],
    ['  \n', null],
    ['plain', 'plain'],
  ])('%j', (text, words) => {
    expect(ownWords(text)).toBe(words);
  });

  it('are limited in length', () => {
    expect(ownWords('x'.repeat(100_000))?.length).toBeLessThan(2100);
  });
});

describe('the profile of a cluster', () => {
  const text = (name: string) =>
    readFileSync(new URL(`../fixtures/slurm/24.11/site-${name}.txt`, import.meta.url), 'utf8');
  const [config, nodes, plain] = [ended(text('config')), ended(text('nodes')), text('partitions')];
  const withQos = ended(plain.replace('QoS=N/A', 'QoS=quick'));

  it('has the limits of QOS only where a partition has one of its own', async () => {
    const without = slurmThatSays(config, ended(plain), nodes);
    answered(await without.slurm.site());
    expect(without.calls.map(({ command }) => command)).toEqual(Array(3).fill('scontrol'));
    const { slurm, calls } = slurmThatSays(config, withQos, nodes, ended('quick|02:00:00\n'));
    expect(answered(await slurm.site()).site?.partitions[0]).toMatchObject({ qos: 'quick', max_time_seconds: 7200 });
    expect(calls[3]).toMatchObject({
      command: 'sacctmgr',
      args: ['--parsable2', '--noheader', 'show', 'qos', 'format=Name,MaxWall'],
    });
  });

  it.each<[string, RunResult]>([
    ['is missing', { kind: 'missing' }],
    ['does not answer', { kind: 'timeout', seconds: 20, stdout: '', stderr: '' }],
    ['fails', ended('', 'sacctmgr: error: Problem talking to the database: Connection refused', 1)],
  ])('is made without them when sacctmgr %s', async (_, result) => {
    const { slurm } = slurmThatSays(config, withQos, nodes, result);
    expect(answered(await slurm.site()).site?.partitions[0]).toMatchObject({ qos: 'quick', max_time_seconds: null });
  });
});
