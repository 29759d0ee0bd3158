/** Jobs that srun runs, each as a step of the allocation: Slurm sees them, and torc sees what it sees of others. */
import { beforeAll, describe, expect, it } from 'vitest';
import { output, requireCluster, slurm, until } from './cluster.ts';
import { siteFor } from './site.ts';

beforeAll(requireCluster);

const mebibyte = 1024 ** 2;

/** Steps of an allocation as Slurm's accounting has them: state and exit code by name. */
async function stepsOf(slurmJobId: string): Promise<Record<string, string>> {
  const words = ['sacct', '-n', '-P', '-j', slurmJobId, '-o', 'JobID,JobName,State,ExitCode'];
  const rows = (await slurm(words)).trim().split('\n');
  const steps = rows.map((row) => row.split('|')).filter(([id = '']) => /\.\d+$/.test(id));
  return Object.fromEntries(steps.map(([, name = '', state = '', code = '']) => [name, `${state} ${code}`]));
}

describe.concurrent('jobs as steps of Slurm', () => {
  it('end as they do without it; their memory is theirs, and nothing of a canceled one is left', async (context) => {
    const site = await siteFor(context, 'steps');
    await site.startServer();
    const family = 'sleep 9776 & setsid sleep 9775 &';
    const hog = `node -e 'const b = Buffer.alloc(300 * 2 ** 20, 1); setTimeout(() => b.length, 60000)'`;
    const hold = `node -e 'const b = Buffer.alloc(60 * 2 ** 20, 1); setTimeout(() => b.length, 4000)'`;
    const key = await site.start({
      name: 'steps',
      execution: 'slurm',
      env: { ODD: 'a "b" $c\nd' },
      resource_requirements: [{ name: 'small', num_cpus: 1, memory: '150m' }],
      jobs: [
        {
          name: 'seen',
          command:
            'printf "%s|" "$ODD" "$TORC_JOB_NAME" "$SLURM_STEP_ID" "$OMP_NUM_THREADS" "$(cat)"; pwd; echo no >&2',
          cwd: 'inner',
          stdin: 'given',
        },
        { name: "three's", command: `${family} exit 3` },
        { name: 'ended', command: 'kill -USR1 $$' },
        { name: 'hog', command: hog, resource_requirements: 'small' },
        { name: 'holder', command: hold, resource_requirements: 'small' },
        {
          name: 'canceled',
          command: `trap 'echo saved > saved; exit 0' TERM; ${family} touch canceled; while :; do sleep 0.1; done`,
          priority: 1,
        },
        // the end of an allocation would take everything with it
        { name: 'last', command: 'until [ -e look ]; do sleep 0.2; done; ps -u hpc -o args= > left', priority: 1 },
        { name: 'direct', command: 'echo "$SLURM_STEP_ID"', execution: 'direct' },
      ],
    });
    await site.makeFolder('inner');
    await site.write('inner/given', 'read');
    await site.addConfig(key, '-w', '10', '-m', '900', '-e', '--cpus-per-task=4');
    const { allocations } = await site.schedule(key, '-n', '1');
    const id = allocations[0]?.slurm_job_id ?? '';
    await until('the job that is to be canceled has begun', async () =>
      (await output(['ls', site.path])).includes('canceled'),
    );
    await site.say(['jobs', 'cancel', (await site.job(key, 'canceled')).job_key]);
    const areEnded = async () => {
      const waiting = (await site.jobs(key)).filter(({ status }) => !['done', 'canceled'].includes(status));
      return waiting.length === 1;
    };
    await until('all but the last have ended', areEnded);
    await site.write('look', '');
    await site.ended(key);
    expect(await site.read('left')).not.toMatch(/sleep 977[56]/);
    expect(await site.read('saved')).toBe('saved\n');
    const results = new Map((await site.results(key)).map((result) => [result.job_name, result]));
    expect(results.get('hog')).toMatchObject({ status: 'done', return_code: 137, cause: 'oom' });
    expect(results.get("three's")).toMatchObject({ status: 'done', return_code: 3, cause: 'exit_code' });
    expect(results.get('ended')).toMatchObject({ return_code: 138, cause: 'signal', signal: 10 });
    expect(results.get('canceled')).toMatchObject({ status: 'canceled' });
    for (const name of ['seen', 'holder', 'last', 'direct']) {
      expect(results.get(name)).toMatchObject({ status: 'done', return_code: 0 });
    }
    const peak = results.get('holder')?.peak_memory_bytes ?? 0;
    expect(peak).toBeGreaterThan(60 * mebibyte);
    expect(peak).toBeLessThan(150 * mebibyte);
    const stdout = async (name: string): Promise<string> =>
      site.say(['logs', '--stdout', results.get(name)?.job_key ?? '']).catch((error: unknown) => String(error));
    expect(await stdout('seen')).toMatch(
      new RegExp(`^a "b" \\$c\\nd\\|seen\\|\\d+\\|1\\|read\\|${site.path}/inner$`, 'm'),
    );
    await site.queueEmpty();
    const steps = await until('accounting has all steps', async () => {
      const found = await stepsOf(id);
      return Object.keys(found).length === 7 && !Object.values(found).some((state) => /RUNNING/.test(state)) && found;
    });
    expect(steps).toMatchObject({
      seen: 'COMPLETED 0:0',
      "three's": 'FAILED 3:0',
      ended: 'CANCELLED 0:10',
      // where nothing protects Slurm's daemon of the step, the kernel may kill that too, and nobody tells Slurm why
      hog: expect.stringMatching(/^(OUT_OF_MEMORY 0:125|CANCELLED)/),
      holder: 'COMPLETED 0:0',
      canceled: 'COMPLETED 0:0',
      last: 'COMPLETED 0:0',
    });
  });
});
