import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diamond, newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Plan {
  dry_run: boolean;
  changes: { job_name: string; old_status: string; new_status: string }[];
}

async function statuses(): Promise<string[]> {
  const { jobs } = await place.json<{ jobs: { status: string }[] }>(['jobs', 'list']);
  return jobs.map((job) => job.status);
}

describe('create', () => {
  it('stores a workflow without starting it', async () => {
    const spec = place.file('diamond.json', diamond());
    expect(await place.json(['workflows', 'create', spec])).toMatchObject({
      workflow_key: '1',
      num_jobs: 4,
      num_edges: 4,
    });
    expect(await statuses()).toEqual(Array(4).fill('uninitialized'));
  });

  it('with --start starts it, and says which jobs it has', async () => {
    const spec = place.file('diamond.json', diamond());
    await place.json(['workflows', 'create', spec]);
    const started = await place.json(['workflows', 'create', spec, '--start']);
    expect(started).toMatchObject({ workflow_key: '2', num_jobs: 4, run_id: 1, num_ready: 1, num_blocked: 3 });
    // in the order of the specification
    expect(started).toMatchObject({ first_job_key: '5', last_job_key: '8', starts_server: false });
    const { jobs } = await place.json<{ jobs: object[] }>(['jobs', 'list', '-k', '2']);
    expect(jobs).toMatchObject([
      { job_key: '5', name: 'a', status: 'ready' },
      ...['b', 'c', 'd'].map((name, at) => ({ job_key: String(6 + at), name, status: 'blocked' })),
    ]);
    const text = await place.torc('workflows', 'create', spec, '--start');
    expect(text.stdout).toMatch(/^created workflow 3 .*\nstarted run 1 of workflow 3: 1 job ready, 3 blocked\n/);
    expect(await place.torc('workflows', 'create', spec, '--start', '--dry-run')).toMatchObject({
      code: 2,
      stdout: '',
    });
    const empty = place.file('empty.json', '{"name":"empty","jobs":[]}');
    expect(await place.torc('workflows', 'create', empty, '--start')).toMatchObject({ code: 4 });
    expect(await place.json(['workflows', 'show', '4'])).toMatchObject({ status: 'uninitialized' });
  });

  it('with --dry-run counts and stores nothing, not even a database', async () => {
    const spec = place.file('diamond.json', diamond({ d: 'echo "$HOME"' }));
    const plan = await place.json(['workflows', 'create', spec, '--dry-run', '--show-jobs']);
    expect(plan).toMatchObject({
      dry_run: true,
      jobs: 4,
      files: 0,
      user_data: 0,
      actions: 0,
      schedulers: 0,
      stages: 3,
    });
    expect(plan).toMatchObject({
      job_list: [
        { name: 'a', command: 'true', depends_on: [] },
        { name: 'b', depends_on: ['a'] },
        { name: 'c', depends_on: ['a'] },
        { name: 'd', command: 'echo "$HOME"', depends_on: ['b', 'c'] },
      ],
    });
    expect(existsSync(place.dir)).toBe(false);
  });

  it('resolves barriers when it shows dependencies', async () => {
    const first = Array.from({ length: 10 }, (_, at) => ({ name: `first ${at}`, command: 'true' }));
    const names = first.map((job) => job.name);
    const second = Array.from({ length: 10 }, (_, at) => ({
      name: `second ${at}`,
      command: 'true',
      depends_on: names,
    }));
    const spec = place.file('wide.json', JSON.stringify({ name: 'wide', jobs: [...first, ...second] }));
    const plan = await place.json<{ barriers: number; job_list: { depends_on: string[] }[] }>([
      'workflows',
      'create',
      spec,
      '--dry-run',
      '--show-jobs',
    ]);
    expect(plan.barriers).toBeGreaterThan(0);
    expect(plan.job_list.map((job) => job.depends_on.toSorted())).toEqual([
      ...Array(10).fill([]),
      ...Array(10).fill(names.toSorted()),
    ]);
  });

  it('makes a job of each command with the given requirements', async () => {
    const file = place.file('my commands.txt', '# comment\nexit 1\n\n  echo "two"  \n');
    await place.json(['workflows', 'create-from-commands-file', file, '-c', '2', '-m', '1500m', '-r', 'PT30M']);
    const { jobs } = await place.json<{ jobs: unknown[] }>(['jobs', 'list']);
    expect(jobs).toMatchObject([
      { command: 'exit 1', num_cpus: 2, memory_bytes: 1500 * 1024 ** 2, runtime_seconds: 1800 },
      { command: 'echo "two"' },
    ]);
    expect(await place.json(['workflows', 'list'])).toMatchObject({ workflows: [{ name: 'my commands' }] });
  });

  it('gives the position of each mistake in a specification', async () => {
    const spec = place.file('bad.yaml', 'name: x\njobs:\n  - name: a\n    comand: b\n  - name: a\n    command: c\n');
    const ended = await place.torc('-F', 'json', 'workflows', 'create', spec);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    const { error } = JSON.parse(ended.stderr);
    expect(error.code).toBe('invalid_spec');
    expect(error.problems).toContainEqual(expect.objectContaining({ line: 4, column: 5, path: 'jobs[0].comand' }));
  });

  it('makes a workflow of whoever runs it: -U filters lists and changes nothing', async () => {
    const spec = place.file('diamond.json', JSON.stringify({ ...JSON.parse(diamond()), user: 'alice' }));
    const refused = {
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^error: -U bob shows what belongs to bob, but changes nothing: you are /),
    };
    expect(await place.torc('-U', 'bob', 'run', spec)).toMatchObject(refused);
    expect(existsSync(place.dir)).toBe(false);
    const { username } = userInfo();
    const made = await place.torc('-U', username, 'workflows', 'create', spec);
    expect(made.stderr).toContain(`names the user "alice"; the workflow belongs to you (${username})`);
    expect(await place.json(['workflows', 'list', '-U', username])).toMatchObject({ workflows: [{ user: username }] });
    expect(await place.json(['workflows', 'list', '-U', 'bob'])).toEqual({ workflows: [] });
    expect(await place.torc('-U', 'bob', 'workflows', 'cancel', '1')).toMatchObject(refused);
    expect(await place.torc('-U', 'bob', 'workflows', 'delete', '1', '--force')).toMatchObject(refused);
    expect(await place.torc('-U', 'bob', 'workflows', 'cancel', '1', '--dry-run')).toMatchObject({ code: 0 });
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ status: 'uninitialized' });
  });
});

describe('attributes', () => {
  it('tell two workflows apart: release_id 123 and 124', async () => {
    const spec = (release: number) =>
      `name: w\nworkflow_attributes: {release_id: ${release}, description: Q4}\njobs:\n` +
      '  - {name: "j{i}", command: "true", attributes: {site: "site {i}"}, parameters: {i: "1:2"}}\n';
    for (const release of [123, 124]) {
      await place.torc('workflows', 'create', place.file(`${release}.yaml`, spec(release)));
    }
    const filter = ['workflows', 'list', '-f', 'attribute.release_id=123'];
    expect(await place.json(filter)).toMatchObject({
      workflows: [{ workflow_key: '1', attributes: { release_id: '123', description: 'Q4' } }],
    });
    const columns = 'workflow_key,attribute.release_id,attribute.other';
    expect((await place.torc('-F', 'csv', ...filter, '--columns', columns)).stdout).toBe(`${columns}\n1,123,\n`);
    await place.torc('workflows', 'modify', '2', '--attribute', 'release_id=123', '--attribute', 'description=');
    expect((await place.torc(...filter, '--columns', columns)).stdout.split('\n')).toHaveLength(4);
    expect((await place.torc('workflows', 'show', '2')).stdout).toMatch(/^attributes: +{"release_id":"123"}$/m);
    await place.torc('jobs', 'modify', '3', '--attribute', 'site=a=b', '--attribute', 'n=1');
    const jobs = ['-k', '2', 'jobs', 'list', '-f', 'attribute.site=a=b'];
    expect((await place.torc(...jobs, '--columns', 'name,attribute.n')).stdout).toBe('name  attribute.n\nj1    1\n');
    expect((await place.torc('jobs', 'show', '4')).stdout).toMatch(/^attributes: +{"site":"site 2"}$/m);
    expect(await place.torc('jobs', 'modify', '3', '--attribute', '2nd=x')).toMatchObject({ code: 2 });
  });
});

describe('start and cancel', () => {
  it('print the plan that they apply, equal to that of the dry run', async () => {
    await place.torc('workflows', 'create', place.file('diamond.json', diamond()));
    for (const [verb, changed] of [
      ['start', ['ready', 'blocked', 'blocked', 'blocked']],
      ['cancel', Array(4).fill('canceled')],
    ] as const) {
      const before = await statuses();
      const planned = await place.json<Plan>(['workflows', verb, '--dry-run']);
      expect(await statuses()).toEqual(before);
      const applied = await place.json<Plan>(['workflows', verb]);
      expect(applied).toEqual({ ...planned, dry_run: false });
      expect(applied.changes.map((change) => change.new_status)).toEqual(changed);
      expect(await statuses()).toEqual(changed);
    }
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ status: 'canceled', counts: { canceled: 4 } });
  });

  it('reject what makes no sense', async () => {
    const key = await place.create('true');
    await place.torc('workflows', 'start', key);
    expect(await place.torc('workflows', 'start', key)).toMatchObject({ code: 4 });
    expect(await place.torc('workflows', 'cancel', '99')).toMatchObject({ code: 3 });
    expect(await place.torc('-k', '2', 'workflows', 'cancel', key)).toMatchObject({ code: 2 });
  });
});

describe('show', () => {
  it('prints the progress of a workflow, one status per line', async () => {
    await place.torc('run', place.file('diamond.json', diamond({ b: 'exit 2' })));
    const { stdout } = await place.torc('workflows', 'show-status');
    expect(stdout).toMatch(/^status: +failed$/m);
    expect(stdout).toMatch(/^done: +3$/m);
    expect(stdout).toMatch(/^canceled: +1$/m);
    expect(stdout).toMatch(/^failed: +1$/m);
    expect(await place.json(['workflows', 'show-status', '1'])).toMatchObject({
      status: 'failed',
      counts: { done: 3 },
    });
    const run = { run_id: 1, how: 'start', who: userInfo().username, status: 'failed' };
    expect(await place.json(['workflows', 'runs', '1'])).toMatchObject({
      runs: [{ ...run, num_jobs: 4, num_done: 3, num_failed: 1, num_canceled: 1, elapsed_seconds: expect.any(Number) }],
    });
    const line = new RegExp(`^ +1 +start +${run.who} +failed +4 +3 +1 +1 `, 'm');
    expect((await place.torc('workflows', 'runs')).stdout).toMatch(line);
  });
});

describe('delete', () => {
  it('needs --yes or -n without a terminal, and then removes everything', async () => {
    const key = await place.create('true');
    expect(await place.torc('workflows', 'delete', key)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
    expect(await place.json(['workflows', 'delete', key, '--dry-run'])).toMatchObject({ dry_run: true, num_jobs: 1 });
    expect(await place.json(['workflows', 'list'])).toMatchObject({ workflows: [{ workflow_key: key }] });
    expect(await place.json(['workflows', 'delete', key, '--force'])).toMatchObject({ dry_run: false, num_jobs: 1 });
    expect(await place.json(['workflows', 'list'])).toEqual({ workflows: [] });
    const next = await place.create('true');
    expect(await place.torc('-n', 'workflows', 'delete', next)).toMatchObject({ code: 0 });
  });
});

describe('example', () => {
  it('prints each example as shipped, and each can be created', async () => {
    const { examples } = await place.json<{ examples: { name: string; file: string }[] }>(['workflows', 'example']);
    expect(examples.length).toBeGreaterThan(0);
    for (const { name, file } of examples) {
      expect((await place.torc('workflows', 'example', name)).stdout).toBe(readFileSync(file, 'utf8'));
      expect(await place.torc('workflows', 'create', file, '--dry-run'), name).toMatchObject({ code: 0 });
    }
    expect(await place.torc('workflows', 'example', '../package')).toMatchObject({ code: 3 });
  });
});

describe('server', () => {
  it('starts once in the background, is found, and stops', async () => {
    expect(await place.torc('server', 'info')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('server start'),
    });
    const started = await place.json<{ pid: number; url: string }>(['server', 'start', '--daemon']);
    expect(await place.json(['server', 'info'])).toMatchObject({
      pid: started.pid,
      url: started.url,
      num_active_workers: 0,
    });
    expect(await place.torc('server', 'start', '--daemon')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`pid ${started.pid}`),
    });
    const token = JSON.parse(readFileSync(join(place.dir, 'server.json'), 'utf8')).token;
    const shown = await place.torc('server', 'info');
    expect(shown.stdout + readFileSync(join(place.dir, 'server.log'), 'utf8')).not.toContain(token);
    expect(await place.json(['server', 'stop'])).toMatchObject({ pid: started.pid, stopped: true });
    expect(() => process.kill(started.pid, 0)).toThrow();
    expect(await place.torc('server', 'stop')).toMatchObject({ code: 5 });
  });

  it('says why it could not start', async () => {
    place.file('file', '');
    const ended = await place.torc('--dir', join(place.path, 'file'), 'server', 'start', '--daemon');
    expect(ended.code).not.toBe(0);
    expect(ended).toMatchObject({ stdout: '', stderr: expect.stringMatching(/^error: .+/) });
  });
});
