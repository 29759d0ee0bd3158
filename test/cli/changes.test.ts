import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeAll(async () => {
  place = newPlace();
  await place.create('true');
});
afterAll(() => place.remove());

async function jobs(): Promise<Record<string, unknown>[]> {
  return (await place.json<{ jobs: Record<string, unknown>[] }>(['jobs', 'list', '-k', '1'])).jobs;
}

describe('a workflow that is changed step by step', () => {
  it('runs added jobs in the order of their inputs and outputs', async () => {
    await place.json(['files', 'add', 'a, b', '--path', 'x y.txt']);
    await place.json(['resource-requirements', 'add', 'small', '--cpus', '1', '--memory', '200m']);
    const command = [
      '--command',
      'cat "x y.txt" > copy.txt',
      '--input-file',
      'a\\, b',
      '-r',
      'small',
      '--priority',
      '9',
    ];
    expect(await place.json(['jobs', 'add', ...command, '--', '-reader'])).toEqual({
      workflow_key: '1',
      job_key: '2',
      name: '-reader',
      status: 'uninitialized',
      is_new: true,
    });
    await place.json(['jobs', 'add', 'writer', '--command', 'echo $HOME > "x y.txt"', '--output-file', 'a\\, b']);
    await place.json(['jobs', 'add', 'extra', '--command', 'false', '--depends-on', 'writer,-reader']);
    const removal = ['jobs', 'delete', '3'];
    expect((await place.torc(...removal, '--force')).stderr).toContain('--cascade');
    expect((await place.torc(...removal, '--cascade')).code).toBe(2);
    expect(await place.json([...removal, '--cascade', '--dry-run'])).toMatchObject({ num_jobs: 3, dry_run: true });
    expect(await place.json(['jobs', 'delete', '4', '--force'])).toEqual({
      dry_run: false,
      workflow_key: '1',
      num_jobs: 1,
      jobs: [{ job_key: '4', name: 'extra' }],
    });
    expect(await place.json(['jobs', 'assign-resource-requirements', 'small', '1', '3'])).toMatchObject({
      num_jobs: 2,
    });
    const file = place.file('more commands.txt', '# two\necho one\necho two\n');
    expect(await place.json(['workflows', 'add-jobs-from-commands-file', '1', file, '-c', '2'])).toEqual({
      workflow_key: '1',
      num_jobs: 2,
      resource_requirements: 'commands',
    });
    await place.json(['workflows', 'start', '1']);
    await place.json(['jobs', 'run', '1', '-o', 'out']);
    expect(await jobs()).toMatchObject([
      { name: 'job_1', status: 'done', memory_bytes: 200 * 1024 ** 2 },
      { name: '-reader', status: 'done', return_code: 0, priority: 9 },
      { name: 'writer', status: 'done', resource_requirements: 'small' },
      { name: 'job_2', num_cpus: 2 },
      { name: 'job_3', return_code: 0 },
    ]);
  });

  it('recovers by itself, which is told in words', async () => {
    const most = (n: string) => place.torc('workflows', 'modify', '1', '--max-recoveries', n);
    expect((await most('2')).stdout).toMatch(/^recovery +- +at most 2 recoveries, memory x1\.5, runtime x1\.5$/m);
    expect((await most('0')).stdout).toMatch(/^recovery +at most 2 recoveries, memory x1\.5, runtime x1\.5 +-$/m);
  });

  it('is archived, and then listed only on request', async () => {
    const signal = ['--termination-signal', 'SIGUSR2', '--sigterm-lead-seconds', '120'];
    expect(await place.json(['workflows', 'modify', '1', ...signal])).toMatchObject({
      changes: [
        { field: 'termination_signal', old_value: 'SIGTERM', new_value: 'SIGUSR2' },
        { field: 'sigterm_lead_seconds', old_value: 30, new_value: 120 },
      ],
    });
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({
      termination_signal: 'SIGUSR2',
      sigterm_lead_seconds: 120,
    });
    expect((await place.torc('workflows', 'modify', '1', '--termination-signal', 'KILL')).code).toBe(2);
    expect(await place.json(['workflows', 'modify', '1', '--pin', '--execution', 'slurm'])).toMatchObject({
      changes: [
        { field: 'pin', old_value: false, new_value: true },
        { field: 'execution', old_value: 'direct', new_value: 'slurm' },
      ],
    });
    expect(await place.json(['workflows', 'modify', '1', '--no-pin', '--execution', 'direct'])).toMatchObject({
      changes: [
        { field: 'pin', new_value: false },
        { field: 'execution', new_value: 'direct' },
      ],
    });
    await place.json(['workflows', 'modify', '1', '--archive', '--name', 'old "one"']);
    await place.create('true');
    const keys = async (...options: string[]) => {
      const { workflows } = await place.json<{ workflows: { workflow_key: string }[] }>([
        'workflows',
        'list',
        ...options,
      ]);
      return workflows.map(({ workflow_key }) => workflow_key);
    };
    expect(await keys()).toEqual(['2']);
    expect(await keys('-A')).toEqual(['1']);
    expect(await keys('-i', '-a')).toEqual(['1', '2']);
    expect(await keys('-f', 'is_archived=true')).toEqual(['1']);
    // the archived workflow is never the default
    expect(await place.json(['workflows', 'show'])).toMatchObject({ workflow_key: '2' });
    expect((await place.torc('workflows', 'modify', '1', '--archive', '--unarchive')).code).toBe(2);
    await place.json(['workflows', 'modify', '1', '--unarchive']);
    expect(await keys()).toEqual(['1', '2']);
  });

  it('takes new worker parameters by their short options', async () => {
    const command = ['workflows', 'set-compute-node-parameters'];
    expect(await place.json([...command, '2', '-e', '300', '-h', '5', '-i', '-w', '7'])).toEqual({
      workflow_key: '2',
      name: 'commands',
      changes: [
        { field: 'expiration_buffer_seconds', old_value: 180, new_value: 300 },
        { field: 'wait_for_new_jobs_seconds', old_value: 90, new_value: 7 },
        { field: 'ignore_workflow_completion', old_value: false, new_value: true },
        { field: 'wait_for_healthy_database_minutes', old_value: 20, new_value: 5 },
      ],
    });
    expect((await place.torc(...command, '-h')).stdout).toContain('  --wait-for-healthy-database <minutes>');
    expect((await place.torc(...command, '2')).code).toBe(2);
  });

  it('offers its schedulers and failure handlers to added jobs', async () => {
    const spec = {
      name: 'w',
      jobs: [],
      failure_handlers: [{ name: "it's again", rules: [{ match_all_exit_codes: true }] }],
    };
    const file = place.file('w.json', JSON.stringify(spec));
    const { workflow_key: key } = await place.json<{ workflow_key: string }>(['workflows', 'create', file]);
    await place.json(['-k', key, 'hpc', 'slurm', 'add-config', '-N', '-many', '-a', 'acc']);
    const parts = ['--scheduler=-many', '--failure-handler', "it's again"];
    await place.json(['-k', key, 'jobs', 'add', 'one', '--command', 'true', ...parts]);
    const commands = place.file('even more.txt', 'true\n');
    await place.json(['workflows', 'add-jobs-from-commands-file', key, commands, ...parts]);
    const { jobs } = await place.json<{ jobs: object[] }>(['jobs', 'list', '-k', key]);
    const named = { scheduler: '-many', failure_handler: "it's again" };
    expect(jobs).toMatchObject([
      { name: 'one', ...named },
      { name: 'job_1', ...named },
    ]);
    const wrong = await place.torc('-k', key, 'jobs', 'add', 'two', '--command', 'true', '--scheduler', 'many');
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining('did you mean "-many"?') });
  });
});
