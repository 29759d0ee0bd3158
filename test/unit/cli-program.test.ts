import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { forEachCommand } from '../../src/cli/commands/declare.ts';
import type { GlobalOptions } from '../../src/cli/context/context.ts';
import { withoutOlderLetters } from '../../src/cli/input/older-letters.ts';
import { firstOperand, globalOptionsOf } from '../../src/cli/input/options.ts';
import { completionScript } from '../../src/cli/output/completion-script.ts';
import { brokenParagraphs } from '../../src/cli/output/help-format.ts';
import { declareProgram, runProgram } from '../../src/cli/program.ts';
import { fakeTerminal, noInterrupts } from './cli-fakes.ts';

/** The parsed command line: the global options, the command's own and its operands. */
async function parsed(
  ...words: string[]
): Promise<{ globals: GlobalOptions; own: Record<string, unknown>; operands: unknown[] }> {
  let seen = { globals: {}, own: {}, operands: [] as unknown[] };
  const program = await declareProgram((command) => {
    command.action((...given: unknown[]) => {
      seen = { globals: globalOptionsOf(command), own: command.opts(), operands: given.slice(0, -2) };
    });
  });
  await program.parseAsync([...withoutOlderLetters(words)], { from: 'user' });
  return seen;
}

async function run(...words: string[]) {
  const terminal = fakeTerminal();
  const exitCode = await runProgram(words, { terminal, interrupts: noInterrupts, env: { HOME: '/home/a' } });
  return { exitCode, stdout: terminal.stdout.join(''), stderr: terminal.stderr.join('') };
}

describe('help', () => {
  it('fits 80 columns, whatever the command', async () => {
    const paths: string[][] = [];
    const visit = (command: Command, path: string[]): void => {
      paths.push(path);
      for (const child of command.commands) visit(child, [...path, child.name()]);
    };
    visit(await declareProgram(() => {}), []);
    for (const path of paths) {
      const { stdout } = await run(...path, '--help');
      expect(
        stdout.split('\n').filter((line) => line.length > 80),
        path.join(' '),
      ).toEqual([]);
    }
  });

  it('keeps an example that is broken into lines a command that works', () => {
    const text = "Examples:\n  torc -F json jobs list | jq -r '.jobs | .[]'    # keys\n";
    expect(brokenParagraphs(text, 40)).toBe(
      "Examples:\n  # keys\n  torc -F json jobs list | jq -r \\\n    '.jobs | .[]'\n",
    );
  });
});

describe('global options', () => {
  it('work before and after the command, the last one counts', async () => {
    expect((await parsed('-F', 'json', 'results', 'list')).globals).toEqual({ outputFormat: 'json' });
    expect((await parsed('results', 'list', '-F', 'json')).globals).toEqual({ outputFormat: 'json' });
    expect((await parsed('-F', 'csv', 'results', '-k', '3', 'list', '-Fjson')).globals).toEqual({
      outputFormat: 'json',
      workflowKey: '3',
    });
    expect((await parsed('--dir', 'd', '-n', 'workflows', 'list', '-U', 'x', '-c', 'debug')).globals).toEqual({
      dir: 'd',
      prompts: false,
      user: 'x',
      consoleLevel: 'debug',
    });
    expect((await parsed('jobs', 'list')).globals).toEqual({});
  });

  it('leave their letters to commands that use them, and then work in full', async () => {
    const schedule = await parsed('-k', '7', 'hpc', 'slurm', 'schedule-nodes', '-n5', '-k', '-s', '2', '--no-prompts');
    expect(schedule.globals).toEqual({ workflowKey: '7', prompts: false });
    expect(schedule.own).toMatchObject({ count: 5, keepScripts: true, schedulerKey: '2' });
    const create = await parsed('workflows', 'create-from-commands-file', 'f', '-c', '2', '-m', '4g', '-r', 'PT1H');
    expect(create).toMatchObject({ globals: {}, own: { cpus: 2, memory: '4g', runtime: 'PT1H' }, operands: ['f'] });
    expect((await parsed('hpc', 'slurm', 'add-config', '-N', 'x', '-n', '2', '-a', 'acc')).globals).toEqual({});
  });

  it('-h, -k and -F mean the same in every command', async () => {
    const meanings = { '-h': '--help', '-k': '--workflow-key', '-F': '--output-format' };
    let numCommands = 0;
    forEachCommand(await declareProgram(() => {}), (command) => {
      numCommands += 1;
      const options = command.createHelp().visibleOptions(command);
      for (const [letter, long] of Object.entries(meanings)) {
        const found = options.filter(({ short }) => short === letter).map((option) => option.long);
        expect([command.name(), ...found]).toEqual([command.name(), long]);
      }
    });
    expect(numCommands).toBeGreaterThan(100);
  });

  it('an older meaning of -h and -k is understood where it was', async () => {
    const parameters = ['workflows', 'set-compute-node-parameters'];
    for (const older of [['-h', '5'], ['-h5'], ['--wait-for-healthy-database', '5']]) {
      const { own, operands } = await parsed(...parameters, '7', ...older);
      expect([own.waitForHealthyDatabase, operands[0]]).toEqual([5, '7']);
    }
    const schedule = ['hpc', 'slurm', 'schedule-nodes', '-n', '1'];
    expect((await parsed(...schedule, '-k')).own).toMatchObject({ keepScripts: true });
    expect(await parsed(...schedule, '-k', '7')).toMatchObject({ globals: { workflowKey: '7' } });
    expect((await parsed(...schedule, '-k', '7')).own).not.toHaveProperty('keepScripts');
  });

  it('have no letter or name twice in any command', async () => {
    forEachCommand(await declareProgram(() => {}), (command) => {
      const flags = command.options
        .flatMap((option) => [option.short, option.long])
        .filter((flag) => flag !== undefined);
      expect(new Set(flags).size, command.name()).toBe(flags.length);
    });
  });

  it.each([
    [['-k', '7', 'jobs', 'list'], 'jobs'],
    [['-F', 'json', '--dir', 'jobs', 'results', 'list'], 'results'],
    [['-Fjson', '-n', 'run', '-'], 'run'],
    [['--help'], null],
    [[], null],
  ])('of %j leave %s as the command', (words, command) => {
    expect(firstOperand(words)).toBe(command);
  });
});

describe('commands', () => {
  it('accept the forms that users know', async () => {
    expect(
      (await parsed('jobs', 'list', '-f', 'status=ready', '-f', 'name=a=b', '-l', '5', '-s', '2')).own,
    ).toMatchObject({
      filter: [
        { column: 'status', value: 'ready' },
        { column: 'name', value: 'a=b' },
      ],
      limit: 5,
      skip: 2,
    });
    expect((await parsed('slurm', 'schedule-nodes', '-nX'.replace('X', '3'))).own).toMatchObject({
      count: 3,
      server: true,
    });
    expect((await parsed('jobs', 'run', '-m', '2', '-t', 'PT1H', '-o', 'out', '-p', '5', '-w', '3')).own).toMatchObject(
      {
        maxParallelJobs: 2,
        timeLimit: 'PT1H',
        output: 'out',
        pollInterval: 5,
        wait: 3,
      },
    );
    for (const prefix of ['--num-', '--']) {
      const words = [`${prefix}cpus`, '2', `${prefix}gpus=0.5`, `${prefix}nodes`, '3'];
      const add = await parsed('resource-requirements', 'add', 'x', ...words);
      expect(add).toMatchObject({ operands: ['x'], own: { cpus: 2, gpus: 0.5, nodes: 3 } });
      const modify = await parsed('resource-requirements', 'modify', 'x', ...words.slice(0, 3));
      expect(modify.own).toMatchObject({ cpus: 2, gpus: 0.5 });
    }
    expect((await parsed('run', '-')).operands).toEqual(['-']);
    expect((await parsed('workflows', 'show', '7')).operands).toEqual(['7']);
  });

  it('all have a description, and all that do something have examples', async () => {
    const acting = new Set<Command>();
    const program = await declareProgram((command) => void acting.add(command));
    forEachCommand(program, (command) => expect(command.description(), command.name()).not.toBe(''));
    expect(acting.size).toBeGreaterThan(20);
    for (const command of acting) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) });
      command.outputHelp();
      expect(help, command.name()).toMatch(/Examples:\n {2}.*torc /);
    }
  });
});

describe('typing mistakes', () => {
  it.each([
    [['jobs', 'lst'], 'list', 'torc jobs --help'],
    [['wokflows'], 'workflows', 'torc --help'],
    [['jobs', 'list', '--limt', '3'], '--limit', 'torc jobs list --help'],
    [['-k', '7', 'schedule-nodes', '-n', '1'], 'torc hpc slurm schedule-nodes', 'torc --help'],
    [['help', 'jobs', 'lgs'], 'torc jobs logs', 'torc jobs --help'],
    [['workflows', 'logs', '7'], 'torc logs', 'torc workflows --help'],
    [['jobs', 'status', '-h'], 'torc status', 'torc jobs --help'],
  ])('%j: the hint names %s and %s', async (words, nearest, help) => {
    await expect(run(...words)).rejects.toMatchObject({
      code: 'usage',
      exitCode: 2,
      hint: expect.stringMatching(new RegExp(`${nearest}.*${help}`)),
    });
  });

  it.each([
    [['configs', '--help']],
    [['-k', '7', 'configs', 'show', '-h']],
    [['hpc', 'slurm', 'config', '--help']],
    [['help', 'configs']],
    [['jobs', 'list', '-l', '0']],
    [['jobs', 'list', '-l', 'many']],
    [['jobs', 'list', '-F', 'xml']],
    [['jobs', 'list', '-f', 'ready']],
    [['jobs', 'list', '7', 'extra']],
    [['run']],
    [['hpc', 'slurm', 'schedule-nodes']],
    [['hpc', 'slurm', 'schedule-nodes', '-n', '-1']],
    [['completion', 'tcsh']],
  ])('%j is a usage error before anything is opened', async (words) => {
    await expect(run(...words)).rejects.toMatchObject({ code: 'usage', exitCode: 2 });
  });

  it('show the help as the message when no command is given', async () => {
    expect(await run()).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining('workflows') });
    expect(await run('jobs')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('torc jobs') });
    await expect(run('-F', 'json', 'jobs')).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('help and version', () => {
  it('go to stdout with exit code 0', async () => {
    expect(await run('--help')).toMatchObject({
      exitCode: 0,
      stderr: '',
      stdout: expect.stringContaining('workflows'),
    });
    expect(await run('workflows', 'create', '-h')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('--dry-run'),
    });
    const logs = await run('jobs', 'logs', '--help');
    expect(logs.stdout).toContain('--follow');
    expect(await run('help', 'jobs', 'logs')).toEqual(logs);
    expect(await run('jobs', 'help', 'logs')).toEqual(logs);
    expect(await run('jobs', 'help')).toEqual(await run('jobs', '--help'));
    expect(await run('help', 'help')).toEqual(await run('--help'));
    expect(await run('help')).toEqual(await run('--help'));
    expect((await run('-k', '7', 'help', 'hpc', 'slurm')).stdout).toContain('schedule-nodes');
    for (const words of [['--version'], ['jobs', 'list', '--version'], ['-k', '3', 'jobs', 'list', '--version']]) {
      expect(await run(...words)).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    }
  });
});

describe('failures', () => {
  it('are shown first by the option that finds every return code, in help and documents', async () => {
    const texts = [
      (await run('results', 'list', '--help')).stdout,
      (await run('jobs', 'list', '--help')).stdout,
      (await run('results', '--help')).stdout,
      readFileSync(new URL('../../docs/running.md', import.meta.url), 'utf8'),
    ];
    for (const text of texts) {
      const examples = text.split('\n').filter((line) => /torc .*(--failed|-f return_code=)/.test(line));
      expect(examples[0] ?? '--failed', text).toContain('--failed');
    }
    expect(texts[3]).toMatch(/see what failed.*--failed/);
  });
});

describe('completion', () => {
  /** What bash offers for the last word. */
  async function offered(...words: string[]): Promise<string[]> {
    const script = completionScript(await declareProgram(() => {}), 'bash');
    const list = words.map((word) => `'${word}'`).join(' ');
    const ask = `${script}\nCOMP_WORDS=(torc ${list}); COMP_CWORD=${words.length}; _torc; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', ask], { encoding: 'utf8' })
      .split('\n')
      .filter((word) => word !== '');
  }

  it('offers commands and options at the cursor', async () => {
    expect(await offered('w')).toEqual(['watch', 'wait', 'why', 'workflows']);
    expect(await offered('wo')).toEqual(['workflows']);
    expect(await offered('workflows', 'show')).toEqual(['show', 'show-status']);
    expect(await offered('hpc', 'slurm', 'sch')).toEqual(['schedule-nodes']);
    expect(await offered('jobs', 'list', '--sort')).toEqual(['--sort-by']);
    expect(await offered('-k', 'jobs', 'resu')).toEqual(['resume', 'results']);
    expect(await offered('jobs', 'run', '--worker')).toEqual([]);
  });

  it.each(['zsh', 'fish'])('has a script for %s with every group', async (shell) => {
    const script = completionScript(await declareProgram(() => {}), shell);
    for (const group of ['workflows', 'compute-nodes', 'hpc', 'schedule-nodes']) expect(script).toContain(group);
  });
});
