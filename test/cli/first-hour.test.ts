/**
 * The first hour of a person at a terminal, typed as in first-hour.txt, in terminals of two widths. TORC_SCREENS names a
 * folder that keeps what was seen.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { flat, hasTmux, openTerminal, type Terminal } from '../support/terminal.ts';
import { killLeftovers, torc } from '../support/torc.ts';

interface Step {
  mark: string;
  text: string;
  /** The indented lines that follow it. */
  body: string;
}

interface Task {
  title: string;
  steps: Step[];
}

const marks = '<$&.^?>!';

function readTasks(text: string): Task[] {
  const tasks: Task[] = [];
  for (const line of text.split('\n')) {
    const steps = tasks.at(-1)?.steps;
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('== ')) tasks.push({ title: line.slice(3), steps: [] });
    else if (marks.includes(line[0] as string) && line[1] === ' ')
      steps?.push({ mark: line[0] as string, text: line.slice(2), body: '' });
    else if (line.startsWith('  ') && steps?.at(-1)?.mark === '<') (steps.at(-1) as Step).body += `${line.slice(2)}\n`;
    else throw new Error(`first-hour.txt: what is this? ${line}`);
  }
  return tasks;
}

const tasks = readTasks(readFileSync(fileURLToPath(new URL('first-hour.txt', import.meta.url)), 'utf8'));

describe.skipIf(!hasTmux).each([80, 140])('the first hour on a terminal of %i columns', (columns) => {
  let directory: string;
  let slurm: FakeSlurm;
  let terminal: Terminal;
  let dir: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'first-hour-'));
    dir = join(directory, '.torc');
    slurm = new FakeSlurm({ run: true });
    terminal = await openTerminal(directory, { columns, rows: 40 }, { ...slurm.env, TORC_DIR: dir, HOME: directory });
  });

  afterAll(async () => {
    terminal.close();
    await torc(['--dir', dir, 'server', 'stop']);
    slurm.remove();
    killLeftovers(directory);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  it.each(tasks)('$title', async ({ title, steps }) => {
    let seen = '';
    /** The exit code that has not been compared yet. */
    let code: number | null = null;
    const expectSuccess = (): void => {
      if (code !== null) expect(code, terminal.screen()).toBe(0);
      code = null;
    };
    const play = async ({ mark, text, body }: Step): Promise<void> => {
      if (mark === '$' || mark === '&' || mark === '<') {
        expectSuccess();
        if (mark !== '<') seen += `${terminal.screen()}\n\n`;
      }
      if (mark === '<') writeFileSync(join(directory, text), body);
      if (mark === '$' || mark === '&') terminal.enter(text);
      if (mark === '$') code = await terminal.ended();
      if (mark === '.') await terminal.shows(text);
      if (mark === '^') terminal.press(text);
      if (mark === '?') {
        expect(await terminal.ended(), terminal.screen()).toBe(Number(text));
        code = null;
      }
      if (mark === '>') expect(flat(terminal.screen())).toContain(flat(text));
      if (mark === '!') expect(flat(terminal.screen())).not.toContain(flat(text));
    };
    try {
      for (const step of steps) await play(step);
      expectSuccess();
    } finally {
      keepScreens(title, `${seen}${terminal.screen()}\n`);
    }
  });

  function keepScreens(title: string, seen: string): void {
    const folder = process.env.TORC_SCREENS;
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${columns} ${title}.txt`), seen);
  }
});
