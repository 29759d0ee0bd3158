/**
 * Jobs that lose their worker or their allocation, by real means: torc says why, and a restart brings back just those.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { DiagnosedJob, Plan } from '../../src/api/contract.ts';
import { type Node, output, requireCluster, run, until } from './cluster.ts';
import { diagnosed, expectOutOfMemoryStory, hogThatTakesTheWorkerAlong } from './losing.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

async function running(site: Site, key: string, ...names: string[]): Promise<void> {
  await until(`${names} run`, async () => {
    const jobs = await site.jobs(key);
    return names.every((name) => jobs.some((job) => job.name === name && job.status === 'submitted'));
  });
}

/** Names of the jobs that a restart changes; the dry run says the same. */
async function restarted(site: Site, key: string): Promise<string[]> {
  const planned = await site.json<Plan>(['workflows', 'restart', key, '--dry-run']);
  const applied = await site.json<Plan>(['workflows', 'restart', key]);
  expect({ ...applied, dry_run: true }).toEqual(planned);
  return applied.changes.map((change) => change.job_name);
}

/** Sends a signal to the worker of an allocation on its node, at once after another command there. */
async function signalWorker(
  signal: 'KILL' | 'STOP' | 'CONT',
  key: string,
  slurmJobId: string,
  node: Node,
  before: readonly string[] = ['true'],
): Promise<void> {
  const script = `"$@" || exit; pgrep -u hpc -f "run-jobs ${key} " | xargs -r -n1 sh -c 'grep -qzx "SLURM_JOB_ID=${slurmJobId}" /proc/$0/environ && kill -${signal} $0'; true`;
  await output(['bash', '-c', script, 'bash', ...before], { node });
}

/** Runs once per attempt, and complains when another process of the job runs at the same time. */
const exclusive = (rest: string): string =>
  `mkdir running || { echo "$TORC_ATTEMPT_ID" >> overlaps; exit 99; }; trap 'rmdir running' EXIT; trap 'exit 1' TERM; echo "$TORC_ATTEMPT_ID" >> attempts; ${rest}`;

describe.concurrent('a job whose', () => {
  it('node runs out of memory, and the kernel takes the worker with it', async (context) => {
    const site = await siteFor(context, 'oom');
    await expectOutOfMemoryStory(site, {
      hog: hogThatTakesTheWorkerAlong,
      slurmState: 'OUT_OF_MEMORY',
      memoryMb: 300,
    });
  });

  it('allocation reaches its walltime is terminated, and a restart reruns just that', async (context) => {
    const site = await siteFor(context, 'walltime');
    await site.startServer();
    const key = await site.start({
      name: 'walltime',
      jobs: [
        { name: 'long', command: 'test -e longer || sleep 600' },
        { name: 'quick', command: 'true' },
        { name: 'fails', command: 'exit 3' },
      ],
    });
    await site.addConfig(key, '-w', '1', '-m', '200');
    await site.schedule(key, '-n', '1');
    await until('the job was stopped', async () => (await site.job(key, 'long')).status === 'terminated', 150);
    expect(await site.job(key, 'long')).toMatchObject({ cause: 'walltime', orphaned: false });
    await site.write('longer', '');
    expect(await restarted(site, key)).toEqual(['long']);
    await site.schedule(key, '-n', '1');
    expect(await site.ended(key)).toMatchObject({ num_done: 3, num_failed: 1 });
  });

  it('allocation is canceled is terminated; one whose worker could not say so is explained', async (context) => {
    const site = await siteFor(context, 'scancel');
    await site.startServer();
    const key = await site.start({
      name: 'scancel',
      jobs: [
        { name: 'told', command: 'test -e again || sleep 600' },
        { name: 'untold', command: `test -e again || { trap '' TERM; touch deaf; sleep 600 & wait; wait; }` },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '200');
    const { allocations } = await site.schedule(key, '-n', '2');
    await running(site, key, 'told', 'untold');
    await until('one is deaf', async () => (await run(['test', '-e', `${site.path}/deaf`])).exitCode === 0);
    const { hostname, slurm_job_id: untold } = await site.job(key, 'untold');
    const cancel = ['scancel', ...allocations.map((allocation) => allocation.slurm_job_id)];
    // it waits two seconds for a job that will not end, and dies before it can report
    await signalWorker('KILL', key, String(untold), hostname as Node, cancel);
    await until('the job was stopped', async () => (await site.job(key, 'told')).status === 'terminated');
    const found = await diagnosed(site, key, 'untold');
    expect(found.diagnosis).toMatchObject({ cause: 'canceled', slurm_job_id: untold });
    expect(found.diagnosis.slurm_state).toMatch(/^CANCELLED/);
    await site.write('again', '');
    expect((await restarted(site, key)).toSorted()).toEqual(['told', 'untold']);
    await site.schedule(key, '-n', '1');
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 2 });
  });

  it('allocation is requeued runs again by itself, never twice at a time', async (context) => {
    const site = await siteFor(context, 'requeue');
    await site.startServer();
    const key = await site.start({
      name: 'requeue',
      jobs: [
        { name: 'first', command: exclusive('test "$TORC_ATTEMPT_ID" = 2 || { sleep 600 & wait; }') },
        { name: 'behind', command: 'true', depends_on: ['first'] },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '200', '-e', '--requeue');
    const { allocations } = await site.schedule(key, '-n', '1');
    const id = allocations[0]?.slurm_job_id ?? '';
    await until('the first attempt is at work', async () => {
      return (await run(['cat', `${site.path}/attempts`])).stdout === '1\n';
    });
    await output(['scontrol', 'requeue', id]);
    await until('the allocation waits again', async () =>
      (await output(['squeue', '-h', '-j', id, '-o', '%T'])).includes('PENDING'),
    );
    // a start in the second of the kill is refused: slurmd compares credentials by whole seconds
    await output(['scontrol', 'update', `JobId=${id}`, 'StartTime=now+3'], { user: 'root' });
    // between the two starts nothing of the workflow is left to run
    await until('the requeued allocation has done it', async () => (await site.shown(key)).status === 'done', 240);
    expect(await site.shown(key)).toMatchObject({ run_id: 1, num_done: 2 });
    expect(await site.read('attempts')).toBe('1\n2\n');
    expect(await run(['test', '-e', `${site.path}/overlaps`])).toMatchObject({ exitCode: 1 });
  });

  it('worker is frozen past its lease is not given away; by force it is, and late reports change nothing', async (context) => {
    const site = await siteFor(context, 'frozen');
    await site.json(['server', 'start', '--daemon', '--lease-seconds', '5']);
    const wait = (name: string): string => `while ! test -e "end $TORC_ATTEMPT_ID ${name}"; do sleep 0.2; done`;
    const key = await site.start({
      name: 'frozen',
      jobs: [
        { name: 'counts', command: wait('counts') },
        { name: 'forced', command: wait('forced') },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '200');
    await site.schedule(key, '-n', '2');
    await running(site, key, 'counts', 'forced');
    for (const name of ['counts', 'forced']) {
      const { hostname, slurm_job_id: id } = await site.job(key, name);
      await signalWorker('STOP', key, String(id), hostname as Node);
    }
    await until('contact is lost', async () => {
      const { jobs } = await site.json<{ jobs: DiagnosedJob[] }>(['jobs', 'diagnose', '-k', key]);
      return jobs.every(({ diagnosis }) => diagnosis.process === 'lost_contact') && jobs.length === 2;
    });
    const told = await site.say(['jobs', 'diagnose', '-k', key]);
    expect(told).toMatch(/lost contact/);
    expect(told).toContain('RUNNING');
    expect((await site.jobs(key)).every((job) => job.status === 'submitted' && !job.orphaned)).toBe(true);
    expect((await site.torc(['workflows', 'restart', key])).exitCode).toBe(4);

    // one wakes up, and its result counts as if nothing had been
    await site.write('end 1 counts', '');
    const counts = await site.job(key, 'counts');
    await signalWorker('CONT', key, String(counts.slurm_job_id), counts.hostname as Node);
    await until('it reports', async () => (await site.job(key, 'counts')).status === 'done');
    expect(await site.job(key, 'counts')).toMatchObject({ cause: 'success' });

    // the other one's job is given to somebody else first
    const forced = await site.job(key, 'forced');
    const { changes } = await site.json<Plan>(['workflows', 'restart', key, '--force']);
    expect(changes.map((change) => change.job_name)).toEqual(['forced']);
    await site.write('end 1 forced', '');
    await signalWorker('CONT', key, String(forced.slurm_job_id), forced.hostname as Node);
    expect(await site.ended(key)).toMatchObject({ status: 'done', run_id: 2, num_failed: 0 });
    await until('the late report is in', async () => {
      const { events } = await site.json<{ events: { type: string }[] }>(['events', 'list', '-k', key]);
      return events.some((event) => event.type === 'report_superseded');
    });
    const results = (await site.results(key)).filter((result) => result.job_name === 'forced');
    expect(results.map(({ run_id, cause }) => [run_id, cause])).toEqual([
      [1, 'worker_lost'],
      [2, 'success'],
    ]);
  });
});
