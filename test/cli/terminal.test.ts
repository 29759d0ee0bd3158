/** The program in a pseudo terminal, which `script` of util-linux makes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Session {
  child: ChildProcess;
  seen(): string;
  code: Promise<number | null>;
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

function onTerminal(env: Record<string, string>, ...args: string[]): Session {
  const command = [
    'stty',
    'cols',
    '120',
    ';',
    quoted(process.execPath),
    ...[mainJs, '--dir', place.dir, ...args].map(quoted),
  ];
  const child = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
    cwd: place.path,
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '', SHELL: '/bin/sh', ...env },
  });
  let seen = '';
  child.stdout.on('data', (bytes) => (seen += bytes));
  return { child, seen: () => seen, code: new Promise((resolve) => child.on('close', resolve)) };
}

describe('on a terminal', () => {
  it('colours statuses, unless NO_COLOR is set', async () => {
    await place.torc('run', place.file('commands.txt', 'true\n'));
    const colored = onTerminal({}, 'jobs', 'list');
    expect(await colored.code).toBe(0);
    expect(colored.seen()).toContain('\x1b[32mdone');
    const plain = onTerminal({ NO_COLOR: '1' }, 'jobs', 'list');
    expect(await plain.code).toBe(0);
    expect(plain.seen()).not.toContain('\x1b[');
  });

  it('shows the plan of a pattern in colour before it asks, and changes nothing without a yes', async () => {
    await place.create('true');
    await place.torc('workflows', 'start', '1');
    const cancel = onTerminal({}, 'jobs', 'cancel', 'job*');
    await expect.poll(cancel.seen).toContain('This would change 1 job of workflow 1. Continue?');
    expect(cancel.seen()).toContain('\x1b[33mcanceled');
    expect(cancel.seen()).not.toContain('u001b');
    cancel.child.stdin?.write('n\n');
    expect(await cancel.code).toBe(130);
    expect(await place.json(['jobs', 'list'])).toMatchObject({ jobs: [{ status: 'ready' }] });
  });

  it('shows progress in one line, and removes it for the summary', async () => {
    const run = onTerminal({}, 'run', place.file('commands.txt', 'true\nwhile [ ! -e go ]; do sleep 0.05; done\n'));
    await expect.poll(run.seen).toContain('\r\x1b[K1/2 done, 1 running, ');
    place.file('go', '');
    expect(await run.code).toBe(0);
    expect(run.seen()).toContain('\r\x1b[Kworkflow 1 (commands), run 1: \x1b[32mdone');
  });

  it('lets running jobs finish on one ^C, which they do not receive, and stops them on the second', async () => {
    const commands = place.file(
      'commands.txt',
      "trap 'echo interrupted > seen' INT; touch ready; while :; do sleep 0.05; done\n",
    );
    const run = onTerminal({}, 'run', commands);
    await expect.poll(run.seen).toMatch(/0\/1 done, 1 running/);
    run.child.stdin?.write('\x03');
    await expect
      .poll(run.seen)
      .toContain('starting no more jobs; running jobs finish. Press Ctrl-C again to stop them');
    run.child.stdin?.write('\x03');
    expect(await run.code).toBe(130);
    expect(run.seen()).toContain('stopping running jobs');
    expect(await place.torc('jobs', 'list', '-f', 'status=ready', '--columns', 'name')).toMatchObject({
      stdout: 'name\njob_1\n',
    });
    expect(existsSync(join(place.path, 'seen'))).toBe(false);
  });

  it('stored text cannot control it in any format, and a log keeps only its colors', async () => {
    const hostile = '\x1b]0;title\x07 \x9b2J \u202e \u200b \ufeff \u2028 \x1b[31mred';
    await place.torc('run', place.file('commands.txt', "printf '\\033[31mred\\033[0m\\r\\007\\033[2J\\302\\2331A'\n"));
    await place.torc('workflows', 'modify', '1', '--name', hostile, '--description', hostile);
    await place.torc('-k', '1', 'user-data', 'add', 'x', '--data', JSON.stringify({ [hostile]: hostile }));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
    const controlling = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202e\u2028\ufeff]/;
    const commands = [
      ['workflows', 'list'],
      ['workflows', 'show', '1'],
      ['workflows', 'show-status', '1'],
      ['workflows', 'export', '1'],
      ['-k', '1', 'user-data', 'list'],
      ['-k', '1', 'user-data', 'show', 'x'],
      ['workflows', 'modify', '1', '--name', `${hostile}2`, '--dry-run'],
    ];
    for (const command of commands) {
      for (const format of ['text', 'csv', 'json']) {
        const shown = onTerminal({ NO_COLOR: '1' }, '-F', format, ...command);
        await shown.code;
        expect(shown.seen(), command.join(' ')).not.toMatch(controlling);
        expect(shown.seen().length).toBeGreaterThan(10);
      }
    }
    const log = onTerminal({}, 'jobs', 'logs', '1', '--stdout');
    expect(await log.code).toBe(0);
    expect(log.seen()).toContain('\x1b[31mred\x1b[0m\r\\u0007\\u001b[2J\\u009b1A');
    const piped = await place.torc('jobs', 'logs', '1', '--stdout');
    expect(piped.stdout).toBe('\x1b[31mred\x1b[0m\r\x07\x1b[2J\u009b1A');
  });

  it('asks which workflow to use when there is more than one', async () => {
    await place.create('true');
    await place.create('true', 'true');
    const start = onTerminal({}, 'start');
    await expect.poll(start.seen).toContain('Number (1 to 2):');
    start.child.stdin?.write('1\r');
    expect(await start.code).toBe(0);
    expect(start.seen()).toContain('started run 1 of workflow 2');
    const unasked = onTerminal({}, '-n', 'start');
    expect(await unasked.code).toBe(2);
  });

  it('asks before it deletes, and anything but yes is no', async () => {
    const key = await place.create('true');
    for (const [answer, code] of [
      ['n', 130],
      ['y', 0],
    ] as const) {
      const remove = onTerminal({}, 'workflows', 'delete', key);
      await expect.poll(remove.seen).toContain('[y/N]');
      remove.child.stdin?.write(`${answer}\r`);
      expect(await remove.code).toBe(code);
      const left = await place.json<{ workflows: unknown[] }>(['workflows', 'list']);
      expect(left.workflows).toHaveLength(code === 0 ? 0 : 1);
    }
  });

  it('asks before a restart that would run most of what is done again because files are missing', async () => {
    const jobs = [{ name: 'a', command: 'touch out', output_files: ['f'] }];
    await place.torc(
      'run',
      place.file('s.json', JSON.stringify({ name: 's', jobs, files: [{ name: 'f', path: 'out' }] })),
    );
    rmSync(join(place.path, 'out'));
    for (const [answer, code, run] of [
      ['n', 130, 1],
      ['y', 0, 2],
    ] as const) {
      const restart = onTerminal({}, 'workflows', 'restart', '1');
      await expect
        .poll(() => restart.seen().replaceAll(/\s+/g, ' '))
        .toContain(`1 of 1 done jobs run again because declared files are missing in ${place.path}. Restart? [y/N]`);
      restart.child.stdin?.write(`${answer}\r`);
      expect(await restart.code).toBe(code);
      expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ run_id: run });
    }
  });
});
