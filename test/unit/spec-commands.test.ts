import { describe, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { expandCommandLines, expandCommands } from '../../src/model/expand/commands-file.ts';
import { SpecError } from '../../src/model/spec/problems.ts';

const options = { file: 'c.txt', name: 'w' };

function problemsOf(text: string | Uint8Array): string[] {
  try {
    expandCommands(text, options);
  } catch (error) {
    if (error instanceof SpecError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('a commands file', () => {
  it('is one job for each line that is a command', () => {
    const text = '\ufeff# title\n\necho "a  b" # kept\r\n   \t\n  # comment\n  sleep 1; echo $?  \n\n#\necho \'x\'';
    const workflow = expandCommands(text, options);
    expect([...workflow.jobs].map(({ name, command }) => [name, command])).toEqual([
      ['job_1', 'echo "a  b" # kept'],
      ['job_2', 'sleep 1; echo $?'],
      ['job_3', "echo 'x'"],
    ]);
    expect(workflow).toMatchObject({ name: 'w', numJobs: 3, requirements: [], files: [], edges: [], numBarriers: 0 });
  });

  it('names jobs so that they sort in the order of the file', () => {
    const names = [...expandCommands('true\n'.repeat(100), options).jobs].map(({ name }) => name);
    expect([names[0], names[8], names[99]]).toEqual(['job_001', 'job_009', 'job_100']);
    expect([...names].sort()).toEqual(names);
  });

  it('can be read more than once', () => {
    const { jobs } = expandCommands('a\nb\n', options);
    expect([...jobs]).toEqual([...jobs]);
  });

  it('gives each job what the options say, and nothing else', () => {
    const stated = expandCommands('a\nb', { ...options, cpus: 4, memory: '1.5g', runtime: 'PT90S' });
    expect(stated.requirements).toEqual([
      {
        name: 'default',
        numCpus: 4,
        memoryBytes: 1.5 * 1024 ** 3,
        gpuThousandths: 0,
        numNodes: 1,
        runtimeMs: 90_000,
        isMemoryStated: true,
        isRuntimeStated: true,
      },
    ]);
    expect([...stated.jobs].map((job) => job.requirements)).toEqual([0, 0]);
    const [cpusOnly] = expandCommands('a', { ...options, cpus: 2 }).requirements;
    expect(cpusOnly).toMatchObject({ numCpus: 2, isMemoryStated: false, isRuntimeStated: false });
  });

  it.each([
    { cpus: 0 },
    { cpus: 1.5 },
    { cpus: Number.NaN },
    { memory: '512' },
    { memory: '0m' },
    { runtime: '60' },
    { runtime: 'PT0S' },
  ])('refuses the options %j', (option) => {
    expect(() => expandCommands('a', { ...options, ...option })).toThrow(TorcError);
  });

  it('reads the same from lines that are iterated again and again', () => {
    const lines = ['# x', 'echo 1', '', 'echo 2\r'];
    const whole = expandCommands(lines.join('\n'), options);
    const streamed = expandCommandLines(lines, options);
    expect([...streamed.jobs]).toEqual([...whole.jobs]);
    expect([...streamed.jobs].map(({ command }) => command)).toEqual(['echo 1', 'echo 2']);
    expect(streamed.numJobs).toBe(2);
  });

  it('reads bytes, and refuses those that are not UTF-8', () => {
    expect([...expandCommands(Buffer.from('echo é'), options).jobs][0]?.command).toBe('echo é');
    expect(problemsOf(Buffer.from('echo 1\necho \xe9', 'latin1'))).toEqual([
      expect.stringContaining('c.txt:2:6: a byte'),
    ]);
  });

  it('refuses a file without commands', () => {
    expect(problemsOf('')).toEqual(['c.txt:1:1: has no commands: write one on each line']);
    expect(problemsOf('# a\n\n')).toEqual(['c.txt:2:1: has no commands: write one on each line']);
  });

  it('refuses what cannot be one command, with every place', () => {
    const text = 'echo a \\\n  b\necho \\\\\nfoo\0bar\nprintf x\\';
    expect(problemsOf(text)).toEqual([
      'c.txt:1:8: ends in a backslash: each command must be on one line',
      'c.txt:4:4: a NUL byte; a commands file is plain text',
      'c.txt:5:9: ends in a backslash: each command must be on one line',
    ]);
    expect(() => expandCommandLines(['x\\'], options)).toThrow('c.txt:1:2: ends in a backslash');
  });
});
