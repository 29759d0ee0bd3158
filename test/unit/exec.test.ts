import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isJsonAsked } from '../../src/cli/context/context.ts';
import { runProgram } from '../../src/cli/program.ts';
import { type Entries, jsonEntries, lineEntries, readArray } from '../../src/model/expand/entries.ts';
import { plainWorkflow } from '../../src/model/expand/plain-jobs.ts';
import {
  entryJobs,
  quotedCommand,
  type RepeatedJobs,
  sweptJobs,
  unusedParameters,
} from '../../src/model/expand/repeated-commands.ts';
import { environmentOf } from '../../src/model/launch.ts';
import { directiveFor, readDirectives } from '../../src/model/spec/directives.ts';
import { productOf, readValues } from '../../src/model/spec/parameters.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { fakeTerminal, noInterrupts } from './cli-fakes.ts';

const texts = (entries: Entries) => [...entries].map(({ id, text }) => [id, text]);
const commands = ({ jobs }: RepeatedJobs) => [...jobs].map(({ name, command }) => [name, command]);
const numbers = (written: string) => [...readArray(written)].map(({ id }) => id);

function problems(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof SpecError) return error.problems.map((one) => `${one.line}:${one.column}: ${one.message}`);
  }
  return [];
}

describe('words of torc exec', () => {
  it('arrive at the program as they are typed', () => {
    const words = [
      'printf',
      '%s|',
      'a  b',
      '*',
      "it's",
      '$HOME',
      '',
      '~',
      'x=1',
      '{a,b}',
      '\\',
      'line\nbreak',
      '#',
      '!',
    ];
    const { stdout } = spawnSync('bash', ['-c', '--', quotedCommand(words)], { encoding: 'utf8' });
    expect(stdout).toBe(
      words
        .slice(2)
        .map((word) => `${word}|`)
        .join(''),
    );
  });

  it.each(['if', 'time', 'A=1', '~', '{'])('name a program, also the word %s', (word) => {
    const { status, stderr } = spawnSync('/bin/bash', ['--norc', '-c', '--', quotedCommand([word])], {
      encoding: 'utf8',
      env: { PATH: '/nowhere' },
    });
    expect(`${status} ${stderr}`).toMatch(/^127 .*(not found|No such file)/);
  });

  it('are filled in one by one, so that values with spaces stay one word', () => {
    const sweep = productOf(new Map([['name', readValues('[a b,c]')]]));
    expect(commands(sweptJobs([['cat', '{name}.txt']], sweep))).toEqual([
      ['job_1', "cat 'a b.txt'"],
      ['job_2', 'cat c.txt'],
    ]);
  });
});

describe('parameters of torc exec', () => {
  it('combine, the first slowest, for each of several commands', () => {
    const values = new Map([
      ['i', readValues('1:2')],
      ['lr', readValues('[0.1,0.5]')],
    ]);
    const made = sweptJobs(['run {i:03d} {lr}', 'log {i}'], productOf(values));
    expect(made.numJobs).toBe(8);
    expect(commands(made).map(([, command]) => command)).toEqual([
      ...['run 001 0.1', 'run 001 0.5', 'run 002 0.1', 'run 002 0.5'],
      ...['log 1', 'log 1', 'log 2', 'log 2'],
    ]);
    expect(unusedParameters(['log {i}'], productOf(values))).toEqual(['lr']);
  });
});

describe('entries of torc exec', () => {
  it('are lines that are not blank, numbered as in the file', () => {
    expect(texts(lineEntries(['a b', '', '  ', '# no comment'], 'f'))).toEqual([
      [1, 'a b'],
      [4, '# no comment'],
    ]);
    expect(problems(() => lineEntries(['', ' '], 'f'))).toEqual(['1:1: has no lines']);
    expect(problems(() => lineEntries(['a', 'b\0', 'é'.repeat(40_000)], 'f'))).toEqual([
      '2:1: a NUL byte, which no variable can have',
      '3:1: is longer than the 65472 bytes that a variable can have',
    ]);
  });

  it('are elements of a list, with numbers as they are written', () => {
    const json = (text: string) => jsonEntries([text], 'f');
    expect(texts(json('[{"a": 1.0}, 9007199254740993, "x"]'))).toEqual([
      [1, '{"a":1.0}'],
      [2, '9007199254740993'],
      [3, '"x"'],
    ]);
    expect(problems(() => json('[1, {"a" 2}]'))).toEqual([expect.stringMatching(/is not JSON/)]);
    const wrong = ['', '{}', '[]', '[1,', '3', '[1,]', '[,1]', '[1}]', '[[1}]', '[1] 2', '["a]', '["a\\"]', '[a]'];
    for (const text of wrong)
      expect(
        problems(() => json(text)),
        text,
      ).toHaveLength(1);
  });

  it('are the same elements however a list is cut into pieces', () => {
    const list = [{ a: '],"[\\', b: [1, [2, {}], []] }, '\\"', '\\\\', [], {}, null, -1.5e3, 'ü,', [[[',']]]];
    for (const text of [JSON.stringify(list), `\n ${JSON.stringify(list, null, 2)}\n`]) {
      for (let size = 1; size < 40; size += 1) {
        const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
          text.slice(at * size, (at + 1) * size),
        );
        const found = [...jsonEntries(pieces, 'f')].map((entry) => JSON.parse(entry.text ?? ''));
        expect(found, String(size)).toEqual(list);
      }
    }
  });

  it('are numbers of an array', () => {
    expect(numbers('1-4')).toEqual([1, 2, 3, 4]);
    expect(numbers('7, 1-3,2')).toEqual([1, 2, 3, 7]);
    expect(numbers('0-30:10')).toEqual([0, 10, 20, 30]);
    expect(readArray('1-9%2').maxConcurrent).toBe(2);
    for (const wrong of ['', '3-1', '1-9:0', 'a', '1-', '1%0', '-1', '1-9999999']) {
      expect(() => readArray(wrong)).toThrow(/^--array/);
    }
  });

  it('are in the variables of jobs, and number them', () => {
    const command = 'work "$TORC_ENTRY"';
    expect([...entryJobs([command], lineEntries(["it's", 'b'], 'f')).jobs]).toEqual([
      { name: 'job_1', command, env: { TORC_TASK_ID: '1', TORC_ENTRY: "it's" } },
      { name: 'job_2', command, env: { TORC_TASK_ID: '2', TORC_ENTRY: 'b' } },
    ]);
    expect([...entryJobs([['task', 'x y']], readArray('9-10')).jobs]).toEqual([
      { name: 'job_09', command: "task 'x y'", env: { TORC_TASK_ID: '9' } },
      { name: 'job_10', command: "task 'x y'", env: { TORC_TASK_ID: '10' } },
    ]);
    // a specification that was exported keeps them
    expect(environmentOf({ TORC_ENTRY: 1, TORC_TASK_ID: 2, TORC_DIR: 3 })).toEqual({
      TORC_ENTRY: '1',
      TORC_TASK_ID: '2',
    });
  });

  it('are not kept: a million lines are made when they are used', () => {
    const lines = {
      *[Symbol.iterator]() {
        for (let i = 0; i < 1_000_000; i += 1) yield `line ${i}`;
      },
    };
    const { numJobs, jobs } = entryJobs(['true'], lineEntries(lines, 'f'));
    const before = process.memoryUsage().heapUsed;
    let last: string | undefined;
    for (const { launch } of plainWorkflow('x', numJobs, jobs, {}).jobs) last = launch?.env?.TORC_ENTRY;
    expect(last).toBe('line 999999');
    expect(numJobs).toBe(1_000_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200 * 1024 ** 2);
  });
});

describe('what jobs ask for', () => {
  it('is one requirement and one failure handler for all of them', () => {
    const needs = { cpus: 4, memory: '8g', gpus: 0.5, nodes: 2, runtime: '1h', maxRetries: 2 };
    const { requirements, failureHandlers, jobs } = plainWorkflow('x', 1, [{ name: 'a', command: 'a' }], needs);
    expect(requirements).toMatchObject([
      { numCpus: 4, memoryBytes: 8 * 1024 ** 3, gpuThousandths: 500, numNodes: 2, runtimeMs: 3_600_000 },
    ]);
    expect(failureHandlers).toMatchObject([{ isPlain: true, rules: [{ maxRetries: 2, matchAllExitCodes: true }] }]);
    expect([...jobs]).toMatchObject([{ requirements: 0, failureHandler: 0 }]);
    expect(plainWorkflow('x', 1, [], {})).toMatchObject({ requirements: [], failureHandlers: [] });
  });
});

describe('#TORC', () => {
  const readers = {
    cpus: (text: string) => {
      if (!/^[1-9]$/.test(text)) throw new Error(`'${text}' is no number`);
      return Number(text);
    },
    name: (text: string) => text,
  };
  const read = (...lines: string[]) => readDirectives(lines.join('\n'), 'f.sh', readers);

  it('counts in the comments at the start', () => {
    const found = read(
      '#!/bin/bash',
      '# about',
      '',
      '#TORC --cpus 4 --name "a b"  # why',
      '#TORC --cpus=5',
      'echo',
      '#TORC --x',
    );
    expect(found).toEqual({ values: { cpus: 5, name: 'a b' }, ignoredLines: [7], sbatch: [] });
    expect(read('#TORCH --cpus 4', '# TORC --cpus 4').values).toEqual({});
  });

  it('is refused with the line and the column', () => {
    expect(problems(() => read('#!/bin/sh', '#TORC --cpu 4', '#TORC --cpus x', '#TORC --cpus', '#TORC 4'))).toEqual([
      expect.stringMatching(/^2:7: #TORC has no option --cpu; did you mean "--cpus"/),
      "3:14: 'x' is no number",
      '4:7: --cpus has no value',
      expect.stringMatching(/^5:7: found "4" where an option was expected/),
    ]);
  });

  it('is named for what #SBATCH lines say', () => {
    const { sbatch } = read(
      '#!/bin/bash',
      '#SBATCH -c 4 --mem=4000',
      '#SBATCH --time=30 # half an hour',
      '#SBATCH -o x.log',
    );
    expect(directiveFor(sbatch)).toBe('#TORC --cpus 4 --memory 4000m --runtime 30m');
    expect(directiveFor(['-o', 'x'])).toBeNull();
  });
});

describe('torc exec', () => {
  const run = (words: readonly string[], env: Record<string, string>) =>
    runProgram(['--dir', '/nowhere', 'exec', ...words], { terminal: fakeTerminal(), interrupts: noInterrupts, env });

  it.each([
    [[], 'nothing to run was given'],
    [['-c', 'a', '--', 'b'], 'a program and -c cannot be combined'],
    [['--array', '1-2', '--param', 'i=1:2', '-c', 'a'], '--param and --array cannot be combined'],
    [['--array', '2-1', '-c', 'a'], 'ends before it starts'],
    [['--param', 'i', '-c', 'a'], "--param 'i' is not a name with values"],
    [['--param', 'i=2:1', '-c', 'a'], '--param i: has no values'],
    [['--param', 'i=[a]', '-c', 'a {i:d}'], '--param: the format'],
    [['-C', 'file', '--array', '1-2'], '-C and --array cannot be combined'],
    [['--parameter-mode', 'zip', '-c', 'a'], '--parameter-mode can be used only with --param'],
    [['sort x | uniq'], 'there is no program "sort x | uniq"'],
    [['-c', ' '], '-c is empty'],
    [['-t', '10', '--local', '-c', 'a'], '--local cannot be combined'],
    [['--slurm', '-c', 'a'], 'there is no sbatch on this machine; nothing was stored or submitted'],
    [['--each-line', '/nowhere/x', '-c', 'a'], 'there is no file /nowhere/x'],
  ])('refuses %j', async (words, message) => {
    await expect(run(words, { HOME: '/nowhere', PATH: '/bin' })).rejects.toThrow(message);
  });

  it('leaves the words after a program to it, also those that torc knows', async () => {
    const shown = async (...words: string[]) => {
      const terminal = fakeTerminal();
      const env = { HOME: '/nowhere', PATH: '/bin', TORC_DIR: '/nowhere' };
      await runProgram(['exec', ...words], { terminal, interrupts: noInterrupts, env });
      return terminal.stdout.join('');
    };
    expect(await shown('--dry-run', 'ls', '--version')).toContain('ls --version');
    expect(await shown('--dry-run', '--', 'ls', '-F', 'json', '-h', '-k', '7')).toContain('ls -F json -h -k 7');
    expect(isJsonAsked(['exec', '--', 'ls', '-F', 'json'])).toBe(false);
    expect(await shown('--version')).toMatch(/^[0-9]+[.]/);
    // it is not the version of torc that is asked for
    const folder = mkdtempSync(join(tmpdir(), 'torc-exec-'));
    try {
      const env = { PATH: '', TORC_DIR: '/proc/x' };
      const words = ['exec', '-o', join(folder, 'out'), 'sort', '--version'];
      const ended = runProgram(words, { terminal: fakeTerminal(), interrupts: noInterrupts, env });
      await expect(ended).rejects.toThrow('/proc/x');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('asks where to run where sbatch is found, but inside an allocation', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'torc-sbatch-'));
    try {
      writeFileSync(join(folder, 'sbatch'), '', { mode: 0o755 });
      const env = { HOME: folder, PATH: folder };
      const words = ['--dry-run', '-c', 'true'];
      await expect(run(words, env)).rejects.toMatchObject({ code: 'usage', hint: expect.stringContaining('--slurm') });
      for (const choice of ['--local', '--slurm']) expect(await run([choice, ...words], env)).toBe(0);
      expect(await run(words, { ...env, SLURM_JOB_ID: '7' })).toBe(0);
      expect(await run(words, { ...env, PATH: '/nowhere' })).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
