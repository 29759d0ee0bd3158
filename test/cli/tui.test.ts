/** `torc tui` as a person uses it, on terminals of tmux. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flat, hasTmux, type Terminal } from '../support/terminal.ts';
import type { Place } from './place.ts';
import { eachTestWithTerminal } from './terminal-view.ts';

let place: Place;
let opened: (columns: number, rows: number, command?: string) => Promise<Terminal>;
eachTestWithTerminal((test) => {
  place = test.place;
  opened = (columns, rows, command = 'torc tui') => test.opened({ columns, rows }, command);
});

const specification = `
name: demo
jobs:
  - {name: "sim_{i}", command: "echo sim {i}", parameters: {i: "1:40"}}
  - {name: bad, command: "for i in $(seq 1 60); do echo line $i; done; echo cannot open input.txt >&2; test -e fixed"}
  - {name: after, command: "true", depends_on: [bad]}
`;

/** The first and the last line of the screen. */
function frame(screen: string): { title: string; keys: string } {
  const lines = screen.split('\n');
  return { title: lines[0] ?? '', keys: lines.at(-1) ?? '' };
}

describe.skipIf(!hasTmux)('torc tui', () => {
  it.each([
    [80, 24],
    [200, 50],
  ])('finds a failed job on %i x %i, reads its log, runs it again and sees it done', async (columns, rows) => {
    expect(await place.torc('run', place.file('demo.yaml', specification))).toMatchObject({ code: 1 });
    const tui = await opened(columns, rows);
    await tui.shows('> 1 demo');
    await tui.shows('41/42');
    expect(frame(tui.screen()).keys).toContain('Enter open  r rerun failed');
    tui.press('Enter');
    await tui.shows('1 job failed with return code 1 (exit_code):');
    // a path that is longer than a line pushes nothing off the screen
    expect(frame(tui.screen())).toMatchObject({ title: expect.stringContaining('torc  workflow 1') });
    expect(tui.screen().split('\n')).toHaveLength(rows);
    tui.press('f');
    await tui.shows('jobs of workflow 1, failed: 1 of 1');
    tui.press('Enter');
    await tui.shows('It failed with return code 1');
    tui.press('l');
    await tui.shows('stderr of job 41');
    await tui.shows('cannot open input.txt');
    tui.press('o');
    await tui.shows('stdout of job 41');
    await tui.shows('line 60');
    expect(flat(tui.screen())).not.toContain(flat('line 5 line 6'));
    tui.press('g');
    await tui.shows('line 1 line 2 line 3');
    for (const title of ['torc  job 41 (bad)', 'torc  jobs of workflow 1, failed', 'torc  workflow 1']) {
      tui.press('Escape');
      await expect.poll(() => frame(tui.screen()).title).toContain(title);
    }
    tui.press('r');
    await tui.shows('2 jobs of workflow 1 would be reset; nothing was changed');
    await tui.shows('Do it?');
    tui.press('n');
    await tui.shows('1 job failed with return code 1');
    expect(await place.json(['jobs', 'list', '-f', 'name=bad'])).toMatchObject({ jobs: [{ status: 'done' }] });
    tui.press('r');
    await tui.shows('Do it?');
    tui.press('y');
    await tui.shows('Esc back');
    expect(await place.json(['jobs', 'list', '-f', 'name=bad'])).toMatchObject({ jobs: [{ status: 'ready' }] });
    tui.press('Escape');
    await tui.shows('workflow 1 (demo), run 2: waiting');
    writeFileSync(join(place.path, 'fixed'), '');
    const worker = place.start('jobs', 'run', '1');
    await tui.shows('workflow 1 (demo), run 2: done');
    await tui.shows('42 of 42 done');
    expect(await worker.ended).toMatchObject({ code: 0 });
    tui.press('q');
    expect(await tui.ended()).toBe(0);
    expect(tui.screen()).not.toContain('workflow 1 (demo)');
    // the terminal is as it was
    tui.enter('stty -a | grep -o "[-]*icanon\\|[-]*echo "');
    expect(await tui.ended()).toBe(0);
    expect(tui.screen()).not.toMatch(/-icanon|-echo /);
  });

  it('filters and orders jobs, shows no more of them than fit, and finds the end of many', async () => {
    const jobs = [{ name: 'n_{i}', command: 'true', parameters: { i: '1:5000' } }];
    await place.torc('workflows', 'create', place.file('many.json', JSON.stringify({ name: 'many', jobs })));
    const tui = await opened(80, 24, 'torc tui 1');
    await tui.shows('uninitialized: 5000');
    tui.press('Enter');
    await tui.shows('jobs of workflow 1: 1 of 5000');
    tui.press('G');
    await tui.shows('5000 of 5000');
    await tui.shows('> 5000 n_5000');
    tui.press('Up');
    await tui.shows('> 4999 n_4999');
    tui.press('/');
    await tui.shows('filter (a name, or column=value ..)');
    tui.type('n_7?');
    tui.press('Enter');
    await tui.shows('jobs of workflow 1, n_7?: 1 of 10');
    await tui.shows('> 70 n_70');
    tui.press('v');
    await tui.shows('> 79 n_79');
    tui.press('/');
    tui.type('x status=nowhere');
    tui.press('Enter');
    await tui.shows('status cannot be');
    tui.press('a');
    await tui.shows('reversed: 1 of 5000');
    tui.press('C-c');
    expect(await tui.ended()).toBe(0);
  });

  it('goes on with the next server when the one it looks at ends, and changes nothing that is not confirmed', async () => {
    await place.create('true', 'true');
    await place.torc('workflows', 'start', '1');
    await place.torc('server', 'start', '--daemon');
    const tui = await opened(80, 24, 'NO_COLOR=1 torc tui');
    await tui.shows('> 1');
    tui.press('p');
    await tui.shows('pauses workflow 1: running jobs continue');
    tui.press('y');
    await tui.shows('Esc back');
    tui.press('Escape');
    await tui.shows('p resume');
    expect(await place.torc('server', 'stop')).toMatchObject({ code: 0 });
    // from now on this process has the database, and others reach it
    expect(await place.torc('resume', '1')).toMatchObject({ code: 0 });
    await tui.shows('p pause');
    tui.press('c');
    await tui.shows('Do it?');
    tui.press('Escape');
    await tui.shows('> 1');
    expect(await place.json(['jobs', 'list'])).toMatchObject({ jobs: [{ status: 'ready' }, { status: 'ready' }] });
    tui.press('Enter');
    tui.press('Enter');
    await tui.shows('jobs of workflow 1: 1 of 2');
    tui.press('h');
    await tui.shows('1 job of workflow 1 would be held');
    tui.press('y');
    await tui.shows('held 1 job of workflow 1');
    tui.press('q');
    await tui.shows('jobs of workflow 1: 1 of 2');
    tui.press('q');
    expect(await tui.ended()).toBe(0);
    expect(await place.json(['jobs', 'list'])).toMatchObject({ jobs: [{ held: true }, { held: false }] });
  });

  it('follows the output of a job that runs', async () => {
    const command =
      'echo first; while [ ! -e go ]; do sleep 0.05; done; echo second; while [ ! -e end ]; do sleep 0.05; done';
    const run = place.start('run', place.file('c.txt', `${command}\n`));
    await expect.poll(async () => (await place.torc('status')).stdout).toMatch(/ running\n$/);
    const tui = await opened(80, 24, 'torc tui 1');
    await tui.shows('running: 1');
    tui.press('Enter');
    await tui.shows('1 of 1');
    tui.press('Enter');
    await tui.shows('stdout: first');
    tui.press('l');
    await tui.shows('stdout of job 1, following');
    writeFileSync(join(place.path, 'go'), '');
    await tui.shows('first second');
    writeFileSync(join(place.path, 'end'), '');
    expect(await run.ended).toMatchObject({ code: 0 });
    await expect.poll(() => frame(tui.screen()).title.trim()).toBe('torc  stdout of job 1');
    tui.press('q');
    expect(await tui.ended()).toBe(0);
  });

  it('says before it takes the screen what is wrong with the key', async () => {
    await place.create('true');
    const tui = await opened(80, 24, 'torc tui 9');
    expect(await tui.ended()).toBe(3);
  });
});

it('torc tui without a terminal names the commands that need none', async () => {
  await place.create('true');
  const ended = await place.torc('tui');
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toMatch(
    /error: torc tui needs a terminal to draw on\nhint: Use .*status, or .*watch to follow\.\n/,
  );
  expect(JSON.parse((await place.torc('-F', 'json', 'tui')).stderr)).toMatchObject({ error: { code: 'usage' } });
});
