/** What `torc tui` does with the terminal: keys that come at once, other sizes, signals, errors, what is in names. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { shellWord } from '../../src/base/text.ts';
import { hasTmux, type Terminal } from '../support/terminal.ts';
import type { Place } from './place.ts';
import { eachTestWithTerminal } from './terminal-view.ts';

let place: Place;
let opened: (command?: string) => Promise<Terminal>;
eachTestWithTerminal((test) => {
  place = test.place;
  opened = (command = 'torc tui') => test.opened({ columns: 80, rows: 24 }, command);
});

/** Waits for the end, with this exit code, and looks whether the terminal is as it was. */
async function restored(tui: Terminal, exitCode: number): Promise<void> {
  expect(await tui.ended()).toBe(exitCode);
  expect(tui.screen()).not.toMatch(/Esc back|q quit/);
  tui.enter('stty -a | grep -o "[-]*icanon\\|[-]*echo "');
  expect(await tui.ended()).toBe(0);
  expect(tui.screen()).not.toMatch(/-icanon|-echo /);
}

async function createMany(): Promise<void> {
  const jobs = [{ name: 'n_{i}', command: 'true', parameters: { i: '1:5000' } }];
  await place.torc('workflows', 'create', place.file('many.json', JSON.stringify({ name: 'many', jobs })));
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe.skipIf(!hasTmux)('torc tui on a terminal', () => {
  it('takes keys that come at once in their order, each on what those before it lead to', async () => {
    await createMany();
    const tui = await opened();
    await tui.shows('> 1 many');
    // the page, its jobs, the last one, its page
    tui.paste('\n\nG\n');
    await tui.shows('torc job 5000 (n_5000)');
    // back, two up, the page of that one, back to all, a filter with letters that are keys elsewhere, the one it finds
    tui.paste('\x1b');
    await tui.shows('5000 of 5000');
    tui.paste('kk\n');
    await tui.shows('torc job 4998 (n_4998)');
    tui.press('Left');
    await tui.shows('4998 of 5000');
    tui.paste('/n_47\n\n');
    await tui.shows('torc job 47 (n_47)');
    // a plan is not agreed to before it is shown
    tui.paste('hy');
    await tui.shows('Do it?');
    tui.press('n');
    await tui.shows('torc job 47 (n_47)');
    expect(await place.json(['jobs', 'list', '-f', 'name=n_47'])).toMatchObject({ jobs: [{ held: false }] });
    tui.paste('q');
    expect(await tui.ended()).toBe(0);
  });

  it('pauses and resumes a workflow before its first run, and names all keys', async () => {
    await place.create('true', 'true');
    const tui = await opened('torc tui 1');
    await tui.shows('p pause');
    tui.paste('p');
    await tui.shows('$ torc pause 1');
    await tui.shows('Do it?');
    tui.paste('y');
    await tui.shows('workflow 1 is paused');
    tui.press('Escape');
    await tui.shows('run 0: uninitialized, paused');
    tui.paste('p');
    await tui.shows('Do it?');
    tui.paste('y');
    await tui.shows('resumed workflow 1');
    tui.press('Escape');
    await tui.shows('p pause');
    tui.paste('?');
    await tui.shows('p pause torc pause 1');
    await tui.shows('Ctrl-Z suspend');
    tui.press('Escape');
    await tui.shows('torc workflow 1');
    tui.paste('q');
    await restored(tui, 0);
  });

  it('shows stages, opens the jobs of one, and recovers with a plan', async () => {
    const jobs = [
      { name: 'prepare', command: 'true' },
      { name: 'sim_{i}', command: 'test {i} -ne 3', parameters: { i: '1:8' }, depends_on: ['prepare'] },
      { name: 'merge', command: 'true', depends_on_regexes: ['sim_.*'] },
    ];
    await place.torc('run', place.file('stages.json', JSON.stringify({ name: 'stages', jobs })));
    const tui = await opened('torc tui 1');
    await tui.shows('stage jobs named progress done failed running');
    await tui.shows('2 sim_* ##############xx 8/8 1 0');
    await tui.shows('3 merge xxxxxxxxxxxxxxxx 0/1');
    tui.paste('tj\n');
    await tui.shows('jobs of workflow 1, name=sim_*: 1 of 8');
    tui.press('Escape');
    await tui.shows('stages of workflow 1');
    tui.press('Escape');
    await tui.shows('e recover');
    tui.paste('e');
    await tui.shows('$ torc recover 1');
    await tui.shows('Do it?');
    tui.paste('n');
    await tui.shows('torc workflow 1');
    tui.paste('q');
    expect(await tui.ended()).toBe(0);
  });

  it('applies a plan only while it is the one that was shown, and shows the new one otherwise', async () => {
    await place.create('exit 1', 'exit 1', 'exit 1');
    await place.torc('start', '1');
    expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 1 });
    const runId = async (): Promise<number> =>
      (await place.json<{ run_id: number }>(['workflows', 'show', '1'])).run_id;
    const tui = await opened('torc tui 1');
    await tui.shows('r rerun failed');
    tui.paste('r');
    await tui.shows('3 jobs');
    await tui.shows('Do it?');
    expect(await place.torc('jobs', 'mark-done', '2', '-n')).toMatchObject({ code: 0 });
    tui.paste('y');
    await tui.shows('Something has changed since. Nothing was done; this is the plan now:');
    await tui.shows('2 jobs');
    await tui.shows('Do it?');
    expect(await runId()).toBe(1);
    tui.paste('y');
    await tui.shows('started run 2 of workflow 1');
    expect(await runId()).toBe(2);
    tui.press('Escape');
    await tui.shows('torc workflow 1');
    tui.paste('q');
    expect(await tui.ended()).toBe(0);
  });

  it('draws itself anew on a terminal of another size, and after it was suspended', async () => {
    await createMany();
    const tui = await opened('torc tui 1');
    await tui.shows('uninitialized: 5000');
    tui.paste('\n');
    await tui.shows('> 1 n_1 ');
    tui.resize({ columns: 120, rows: 40 });
    await tui.shows('37 n_37 ');
    expect(tui.screen().split('\n')).toHaveLength(40);
    tui.resize({ columns: 80, rows: 24 });
    await expect.poll(() => tui.screen().split('\n').length).toBe(24);
    await tui.shows('Esc back');
    expect(tui.screen()).not.toContain('n_37');
    for (const suspend of [() => tui.press('C-z'), () => void process.kill(tui.foreground(), 'SIGTSTP')]) {
      suspend();
      // 128 and the number of the signal
      expect(await tui.ended()).toBe(148);
      expect(tui.screen()).not.toContain('n_2 ');
      tui.enter('fg');
      await tui.shows('jobs of workflow 1: 1 of 5000');
      await tui.shows('> 1 n_1 ');
    }
    tui.paste('q');
    await restored(tui, 0);
  });

  it.each([
    ['SIGTERM', 130],
    ['SIGINT', 130],
    ['SIGHUP', 130],
  ] as const)('gives the terminal back after %s', async (signal, exitCode) => {
    await place.create('true');
    const tui = await opened();
    await tui.shows('> 1');
    process.kill(tui.foreground(), signal);
    await restored(tui, exitCode);
  });

  it('ends when its terminal does', async () => {
    await place.create('true');
    const tui = await opened();
    await tui.shows('> 1');
    const pid = tui.foreground();
    tui.hangUp();
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it.each([
    ['an error while it draws', `Object.defineProperty(process.stdout, 'rows', { get: () => broken() })`, 70],
    ['an error that nobody expects', 'setInterval(broken, 50)', 1],
  ])('gives the terminal back after %s', async (_, statement, exitCode) => {
    await place.create('true');
    const breaker = place.file(
      'breaker.mjs',
      `import { existsSync } from 'node:fs';
      const broken = () => { if (existsSync('broken')) throw new Error('broken'); return 24; };
      ${statement};\n`,
    );
    const tui = await opened(`NODE_OPTIONS=${shellWord(`--import=${pathToFileURL(breaker).href}`)} torc tui`);
    await tui.shows('> 1');
    writeFileSync(join(place.path, 'broken'), '');
    await restored(tui, exitCode);
  });

  it('shows what is in names and logs as text, and each line in its place', async () => {
    const command = String.raw`printf 'a\033[2J\033]0;title\007b\nprogress 1\rprogress 2\n日本語\n'; false`;
    const spec = { name: '日本語', jobs: [{ name: 'ジョブ_🚀', command }] };
    await place.torc('run', place.file('wide.json', JSON.stringify(spec)));
    const tui = await opened();
    await tui.shows('> 1 日本語 ');
    tui.paste('\n\n');
    await tui.shows('> 1 ジョブ_🚀 done 1');
    tui.paste('\nl');
    await tui.shows('stdout of job 1');
    await tui.shows(String.raw`a\x1b[2J\x1b]0;title\x07b progress 2 日本語`);
    tui.paste('q');
    await restored(tui, 0);
  });

  it('redraws with Ctrl-L what something else has overwritten, and stays where no shell could continue it', async () => {
    await place.create('true');
    // no job control: the terminal has only this process
    const tui = await opened('exec torc tui 1');
    await tui.shows('torc workflow 1');
    writeFileSync(`/proc/${tui.foreground()}/fd/1`, '\x1b[3;1Hwritten over');
    await tui.shows('written over');
    tui.press('C-l');
    await expect.poll(() => tui.screen()).not.toContain('written over');
    tui.press('C-z');
    tui.paste('\n');
    await tui.shows('jobs of workflow 1: 1 of 1');
  });
});
