/** How the command of a step ended, from srun and what the step left; and the text that starts it. */
import { describe, expect, it } from 'vitest';
import { readMark, stepEnd } from '../../src/model/decide/step-end.ts';
import { slurmEnvironment } from '../../src/slurm/environment.ts';
import { stepPlace, stepText } from '../../src/slurm/step.ts';

const srun = (exitCode: number | null, signal: number | null = null) => ({ exitCode, signal });

describe('the end of a step', () => {
  const used = { cpuMs: 5, largestBytes: 4096 };
  it.each([
    ['is that of its command', srun(143), { ...srun(143), ...used }, { ...srun(143), isOutOfMemory: false }],
    ['and not of srun, which was killed', srun(null, 9), { ...srun(0), ...used }, { ...srun(0), isOutOfMemory: false }],
    ['out of memory', srun(1), { ...srun(null, 9), ...used }, { ...srun(null, 9), isOutOfMemory: true }],
    ['a failure of its own', srun(1), { ...srun(1), ...used }, { ...srun(1), isOutOfMemory: false }],
    ['killed with all of it', srun(137), 'started', { ...srun(null, 9), isOutOfMemory: false }],
    ['all of it out of memory', srun(1), 'started', { ...srun(null, 9), isOutOfMemory: true }],
    ['only known by srun', srun(3), 'unknown', { ...srun(3), isOutOfMemory: false }],
    ['a code that no signal has', srun(255), 'unknown', { ...srun(255), isOutOfMemory: false }],
  ] as const)('%s', (_, ofSrun, mark, end) => {
    expect(stepEnd(ofSrun, mark)).toMatchObject(end);
  });

  it('is none without a command', () => {
    expect(stepEnd(srun(1), 'absent')).toBeNull();
  });

  it('is read from the text of the mark', () => {
    expect(readMark('12')).toEqual({ step: '12', mark: 'started' });
    expect(readMark('12 768 40 100')).toEqual({ step: '12', mark: { ...srun(3), cpuMs: 40, largestBytes: 102_400 } });
    expect(readMark('- 9 40 100')).toMatchObject({ step: null, mark: srun(null, 9) });
    for (const text of ['', 'x', '12 768', '12 768 40 100 1', '12 -1 0 0']) expect(readMark(text), text).toBeNull();
  });
});

describe('the command of a step', () => {
  it('names what it may use and what it is', () => {
    const text = stepText({ nodeName: 'n1', memoryBytes: 2 ** 20 + 1, name: `a\nb 'c'` }, ['bash', '-c', '--', 'x; y']);
    expect(text).toContain(` --mem=2 `);
    expect(text).toContain(`--nodelist=n1 '--job-name=a b '\\''c'\\''' -- bash -c -- 'x; y'`);
    expect(text).toMatch(/^unset .*SLURM_MEM_PER_CPU.*\nexec srun --overlap /);
    expect(stepText({ nodeName: 'n1', memoryBytes: null, name: 'a' }, [])).toContain(' --mem=0 ');
  });

  it('needs a node of an allocation, and srun', () => {
    const place = (env: Record<string, string>) => stepPlace(env, slurmEnvironment(env, 0));
    const node = { SLURM_JOB_ID: '7', SLURMD_NODENAME: 'n1', SLURM_MEM_PER_NODE: '100' };
    expect(place({})).toMatchObject({ problem: expect.stringContaining('does not run in an allocation') });
    expect(place({ SLURM_JOB_ID: '7' })).toMatchObject({ problem: expect.stringContaining('SLURMD_NODENAME') });
    expect(place({ ...node, PATH: '/nowhere' })).toEqual({ problem: 'srun is not in PATH' });
    const bin = new URL('../fake-slurm/bin', import.meta.url).pathname;
    expect(place({ ...node, PATH: `/nowhere:${bin}` })).toEqual({
      node: { nodeName: 'n1', memoryBytes: 100 * 2 ** 20 },
    });
  });
});
