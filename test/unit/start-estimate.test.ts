/** What sbatch --test-only says: recorded words of Slurm, and others. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { systemSlurm } from '../../src/slurm/commands.ts';
import type { RunCommand } from '../../src/slurm/run.ts';
import { startEstimateIn } from '../../src/slurm/start-estimate.ts';

const recorded = (version: string, name: string) =>
  readFileSync(new URL(`../fixtures/slurm/${version}/test-only-${name}.txt`, import.meta.url), 'utf8');

it.each(['22.05', '24.11'])('the words of Slurm %s are understood', (version) => {
  expect(startEstimateIn(recorded(version, 'fits'))).toEqual({
    kind: 'starts',
    startMs: Date.parse(`${/start at (\S+)/.exec(recorded(version, 'fits'))?.[1]}Z`),
    nodes: 'c[3-4]',
    partition: 'main',
    numCpus: 8,
  });
  const configuration = { kind: 'refused', reason: 'Requested node configuration is not available' };
  expect(startEstimateIn(recorded(version, 'too-large'))).toEqual(configuration);
  expect(startEstimateIn(recorded(version, 'unknown-partition'))).toEqual({
    kind: 'refused',
    reason: 'invalid partition specified: nowhere / Invalid partition name specified',
  });
});

it('words around them do not matter, and a Slurm that is away refuses nothing', () => {
  const job = 'sbatch: Job 7 to start at 2026-11-20T17:45:45 using 2 processors on nodes n1 in partition p\n';
  expect(startEstimateIn(`sbatch: the site says hello\n${job}`)).toMatchObject({
    startMs: 1_795_196_745_000,
    nodes: 'n1',
  });
  expect(startEstimateIn('Job 7 to start at 2026-11-20T17:45:45\n')).toMatchObject({ nodes: null, partition: null });
  expect(startEstimateIn(job.replace('\n', ' on cluster east\n'))).toMatchObject({ nodes: 'n1', partition: 'p' });
  expect(startEstimateIn(job.replace('n1', ''))).toMatchObject({ kind: 'starts', nodes: null, partition: 'p' });
  expect(startEstimateIn('allocation failure: Unable to contact slurm controller (connect failure)\n')).toBeNull();
  expect(
    startEstimateIn('sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n'),
  ).toBeNull();
  expect(startEstimateIn('')).toBeNull();
});

it('words of a call that succeeded are no refusal', async () => {
  const saying = (exitCode: number) =>
    systemSlurm({}, async () => ({ kind: 'ended', exitCode, stdout: '', stderr: 'sbatch: lua: hello\n' }));
  const unread = { kind: 'unread', reason: expect.stringContaining('lua: hello') };
  expect(await saying(0).startEstimate('#!/bin/bash\n')).toMatchObject({ kind: 'ok', value: unread });
  expect(await saying(1).startEstimate('#!/bin/bash\n')).toMatchObject({ kind: 'ok', value: { kind: 'refused' } });
});

it('a machine without sbatch is named as such', async () => {
  const slurm = systemSlurm({}, async () => ({ kind: 'missing' }));
  expect(await slurm.startEstimate('#!/bin/bash\n')).toMatchObject({
    kind: 'failed',
    reason: 'The command sbatch was not found on this machine.',
  });
});

it('sbatch is asked with the script on its input, in English and UTC, and its failure is no refusal', async () => {
  const calls: Parameters<RunCommand>[] = [];
  const slurm = systemSlurm(
    { SBATCH_TEST_ONLY: '', SBATCH_PARTITION: 'x', TZ: 'Asia/Tokyo', LANG: 'de' },
    async (...call) => {
      calls.push(call);
      return { kind: 'ended', exitCode: 1, stdout: '', stderr: 'sbatch: error: Unable to contact slurm controller' };
    },
  );
  const answer = await slurm.startEstimate('#!/bin/bash\n#SBATCH --partition=p\ntrue\n');
  expect(answer).toMatchObject({ kind: 'failed', reason: expect.stringContaining('Unable to contact') });
  const [command, args, { variables, input }] = calls[0] as Parameters<RunCommand>;
  expect([command, ...args]).toEqual(['sbatch', '--test-only']);
  expect(input).toContain('--partition=p');
  expect(variables).toMatchObject({ TZ: 'UTC', LC_ALL: 'C' });
  expect(variables).not.toHaveProperty('SBATCH_PARTITION');
});
