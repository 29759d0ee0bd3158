/** Names, directories and settings with special meaning for a terminal, a shell, Slurm, SQL or the file system. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { type Ended, torc } from '../support/torc.ts';

let fake: FakeSlurm;
let place: Place;
beforeEach(() => {
  fake = new FakeSlurm({ run: true });
  place = newPlace(fake.env);
});
afterEach(async () => {
  fake.remove();
  await place.remove();
});

/** Clears the screen, sets the title, breaks the line, reverses the text direction, and would run in a shell. */
const evil = 'a\x1b[2J\x1b]0;title\x07\nb\r\u009b2J\u202e$(touch pwned)`touch pwned`\'"; touch pwned; -- \\';
// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for these
const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/;

const names = [evil, '-rf', '../../../escaped', '__proto__', '$(touch pwned)'];
const [first = ''] = names;
const workflow = {
  name: evil,
  description: evil,
  jobs: names.map((name, index) => ({
    name,
    command: index === 0 ? 'true' : 'exit 3',
    depends_on: index === 2 ? [first] : [],
    output_user_data: index === 0 ? [evil] : [],
  })),
  files: names.map((name) => ({ name, path: `none/${name}` })),
  user_data: names.map((name) => ({ name, data: { [name]: name } })),
};

function tree(path: string): string[] {
  return readdirSync(path, { recursive: true }).map(String);
}

describe('names', () => {
  it('are plain words wherever they are printed or used', async () => {
    await place.torc('server', 'start', '--daemon');
    place.file('w.json', JSON.stringify(workflow));
    const { workflow_key: key } = await place.json<{ workflow_key: string }>(['workflows', 'create', 'w.json']);
    const lines = [
      ['workflows', 'start', key],
      ['jobs', 'run', '-o', 'out'],
      ['workflows', 'list'],
      ['jobs', 'list'],
      ['jobs', 'show', '1'],
      ['events', 'list'],
      ['graphs', 'plot'],
      ['graphs', 'plot', '--format', 'svg'],
      ['workflows', 'restart', key, '--dry-run', '-i'],
      ['workflows', 'export', '-o', 'document.json'],
      ['workflows', 'import', 'document.json'],
      ['jobs', 'show', evil],
      [evil],
    ];
    // the read-only ones at the same time
    const ended: Ended[] = [];
    for (const line of lines.slice(0, 2)) ended.push(await place.torc(...line));
    ended.push(...(await Promise.all(lines.slice(2, 9).map((line) => place.torc(...line)))));
    for (const line of lines.slice(9)) ended.push(await place.torc(...line));
    const printed = ended.map(({ stdout, stderr }) => stdout + stderr);
    expect(printed.filter((text) => control.test(text))).toEqual([]);
    expect(printed.filter((text) => text.includes('a\\x1b[2J')).length).toBeGreaterThan(5);

    const { jobs } = await place.json<{ jobs: { name: string; return_code: number }[] }>(['-k', key, 'jobs', 'list']);
    expect(jobs.map(({ name }) => name)).toEqual(names);
    const imported = JSON.parse(readFileSync(join(place.path, 'document.json'), 'utf8')).workflow;
    expect(imported.jobs.map(({ name }: { name: string }) => name)).toEqual(names);
    const paths = tree(place.path);
    expect(paths.filter((path) => /pwned|escaped|\.\./.test(path))).toEqual([]);
  });
});

it('the name of a directory, in a message and in what to type', async () => {
  const open = join(place.path, 'a\x1b[2J\x07\u202e');
  mkdirSync(open);
  chmodSync(open, 0o777);
  const { stderr } = await place.torc('--dir', open, 'workflows', 'create', place.file('commands.txt', 'true\n'));
  expect(stderr).toMatch(/^error: .*a\\x1b\[2J.*\nhint: .*a\\x1b\[2J/);
  expect(stderr).not.toMatch(control);
});

it('names of a directory, a backup and jobs, in what a check and a backup say', async () => {
  const dir = join(place.path, 'a\x1b[2J\n\x07\u202e');
  place.file('w.json', JSON.stringify(workflow));
  const said = async (...words: string[]) => (await torc(['--dir', dir, ...words], { cwd: place.path })).stdout;
  await said('workflows', 'create', 'w.json');
  const printed = [await said('server', 'check'), await said('server', 'backup', 'a\x1b[2J\u202e.db')];
  const db = new Sqlite(join(dir, 'torc.db'));
  db.exec('UPDATE jobs SET num_blockers = 7 WHERE job_key = 1');
  db.close();
  printed.push(...(await said('server', 'check')).trimEnd().split('\n'));
  expect(printed.map((text) => text.replace(/\n$/, ''))).toEqual([
    expect.stringMatching(/^no problems in .*a\\x1b\[2J\\n\\x07\\u202e \(.*$/),
    expect.stringMatching(/a\\x1b\[2J\\u202e\.db: 1 workflow, 5 jobs, verified$/),
    expect.stringMatching(/^workflow 1: job 1 'a\\x1b\[2J.*' has num_blockers 7, which should be 0$/),
    expect.stringMatching(/problems? in .*a\\x1b\[2J\\n\\x07\\u202e \(.*\)$/),
  ]);
  expect(printed.filter((text) => control.test(text))).toEqual([]);
});

describe('for Slurm', () => {
  it('no setting becomes a second directive, and a line break is refused before anything is submitted', async () => {
    await place.create('true');
    const more = 'x\n#SBATCH --uid=root';
    await place.torc('hpc', 'slurm', 'add-config', '-N', 'c', '-a', 'acc');
    await place.torc('workflows', 'start');
    const schedule = async (...words: string[]) =>
      (await place.torc('hpc', 'slurm', 'schedule-nodes', '-n', '1', ...words)).code;
    for (const words of [
      ['-j', more],
      ['-j', '../../escaped'],
      ['-o', `out\n${more}`],
    ]) {
      expect(await schedule(...words)).toBe(2);
    }
    for (const words of [
      ['-a', more],
      ['-e', `--comment=${more}`],
    ]) {
      expect((await place.torc('hpc', 'slurm', 'modify-config', 'c', ...words)).code).toBe(2);
    }
    await place.torc('hpc', 'slurm', 'modify-config', 'c', '-e', '--comment=x --exclusive');
    expect(fake.jobs()).toEqual([]);
    expect(fake.calls('sbatch')).toEqual([]);
    expect(await schedule()).toBe(0);
    expect(Object.keys(fake.jobs()[0]?.directives ?? {})).not.toContain('uid');
  });

  it('a directory of any name is one word of the script, and a job runs there', async () => {
    const odd = join(place.path, '-$(touch pwned) `touch pwned` ;\'" %j {{workers}}');
    mkdirSync(odd);
    const options = { cwd: odd, env: fake.env };
    const commands = place.file('c.txt', 'pwd > here\n');
    for (const words of [
      ['workflows', 'create', commands],
      ['hpc', 'slurm', 'add-config', '-N', 'c', '-a', '$(touch pwned)'],
      ['workflows', 'start'],
      ['hpc', 'slurm', 'schedule-nodes', '-n', '1', '-k', '-o', '-out $(touch pwned)'],
    ]) {
      expect(await torc(['--dir', join(odd, 'server'), ...words], options)).toMatchObject({ code: 0 });
    }
    await expect.poll(() => existsSync(join(odd, 'here')), { timeout: 90_000 }).toBe(true);
    expect(tree(place.path).filter((path) => path.endsWith('pwned'))).toEqual([]);
    expect(fake.jobs()[0]?.directives.account).toBe('$(touch pwned)');
    await torc(['--dir', join(odd, 'server'), 'server', 'stop'], options);
  });
});
