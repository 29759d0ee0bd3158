/** Jobs that lose their worker, their allocation or their node, by real means: torc says why, and they come back by themselves. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { DiagnosedJob, Plan } from '../../src/api/contract.ts';
import { type Node, output, power, requireCluster, run, slurm, until } from './cluster.ts';
import { comesBack, elsewhere, expectOutOfMemoryStory, hogThatTakesTheWorkerAlong, lostCauses } from './losing.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

async function running(site: Site, key: string, ...names: string[]): Promise<void> {
  await until(`${names} run`, async () => {
    const jobs = await site.jobs(key);
    return names.every((name) => jobs.some((job) => job.name === name && job.status === 'submitted'));
  });
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

/** Complains when a process of an earlier attempt is still there: a lock falls with the last one that holds it. */
const exclusive = (what: string): string => `exec 9> "lock ${what}"; flock -n 9 || echo "${what}" >> overlaps; `;

/** Nobody may type anything but this. */
async function scheduleUntilDone(site: Site, key: string, words: readonly string[]): Promise<void> {
  await until('everything is done', async () => {
    const { status } = await site.shown(key);
    if (status === 'waiting' && (await site.queue()).length === 0) await site.schedule(key, '-n', '1', ...words);
    return status === 'done';
  });
}

/** Starts an allocation anew, as Slurm does after it lost a node. */
async function requeue(slurmJobId: string): Promise<void> {
  await output(['scontrol', 'requeue', slurmJobId]);
  await until('the allocation waits again', async () =>
    (await slurm(['squeue', '-h', '-j', slurmJobId, '-o', '%T'])).includes('PENDING'),
  );
  // a start in the second of the kill is refused: slurmd compares credentials by whole seconds
  await slurm(['scontrol', 'update', `JobId=${slurmJobId}`, 'StartTime=now+3'], { user: 'root' });
}

/** Lines of a file, counted. */
async function countedLines(site: Site, name: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const line of (await site.read(name)).split('\n').slice(0, -1)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

describe.concurrent('a workflow', () => {
  it('of 100 jobs loses a node, an allocation, a start and its time: everything is done once, and only then its last action runs', async (context) => {
    const site = await siteFor(context, 'comes-back');
    context.onTestFinished(() => power('c4', 'on'));
    await site.startServer('ctl', 10);
    // the first job of an allocation goes on only when the allocation has been lost
    const once =
      exclusive('$TORC_JOB_NAME') +
      'echo "$TORC_JOB_NAME $SLURM_JOB_ID" >> begun; ' +
      'if mkdir "held $SLURM_JOB_ID" 2> /dev/null; then until [ -e go ]; do sleep 0.2; done; fi; ' +
      'sleep "1.$((TORC_JOB_KEY * 7 % 10))"; echo "$TORC_JOB_NAME" >> ended';
    const names = Array.from({ length: 60 }, (_, at) => `first_${at}`);
    const second = Array.from({ length: 39 }, (_, at) => ({
      name: `second_${at}`,
      command: once,
      depends_on: [`first_${at}`, `first_${at + 20}`],
    }));
    const key = await site.start({
      name: 'comes back',
      jobs: [
        ...names.map((name) => ({ name, command: once })),
        ...second,
        { name: 'last', command: once, depends_on: second.map(({ name }) => name) },
      ],
      actions: [
        { trigger_type: 'on_workflow_complete', action_type: 'run_commands', commands: ['wc -l < ended >> complete'] },
      ],
    });
    const config = (name: string, walltime: string, extra: string): Promise<string> =>
      site.addConfig(key, '-N', name, '-w', walltime, '-m', '200', '-e', `--cpus-per-task=2 ${extra}`);
    const allocate = async (configKey: string): Promise<string> =>
      (await site.schedule(key, '-n', '1', '-s', configKey)).allocations[0]?.slurm_job_id ?? '';
    const usual = await config('usual', '10', `--no-requeue ${elsewhere}`);
    const requeued = await allocate(await config('requeued', '10', `--requeue ${elsewhere}`));
    const off = await allocate(await config('off', '10', '--no-requeue --nodelist=c4'));
    const short = await allocate(await config('short', '1', `--no-requeue ${elsewhere}`));
    const canceled = await allocate(usual);
    const all = [requeued, off, short, canceled];
    await until('each allocation is at work', async () => {
      const begun = (await run(['cat', `${site.path}/begun`])).stdout;
      return all.every((id) => begun.includes(` ${id}\n`));
    });
    power('c4', 'off');
    await output(['scancel', canceled]);
    await requeue(requeued);
    await until('the short one has had its time', async () => !(await site.queue()).includes(short));
    await site.write('go', '');
    await scheduleUntilDone(site, key, ['-s', usual]);

    expect(await site.shown(key)).toMatchObject({ run_id: 1, num_done: 100, num_failed: 0 });
    const ended = await countedLines(site, 'ended');
    expect(ended.size).toBe(100);
    expect([...ended.values()].every((times) => times === 1)).toBe(true);
    expect(await run(['test', '-e', `${site.path}/overlaps`])).toMatchObject({ exitCode: 1 });
    await until('its last action has run', async () => (await run(['cat', `${site.path}/complete`])).stdout !== '');
    expect(await site.read('complete')).toBe('100\n');
    // each of the four was in the middle of jobs, and they ended elsewhere
    const begun = (await site.read('begun')).split('\n').map((line) => line.split(' '));
    for (const id of all) {
      const cut = begun.find(
        ([name, on], at) => on === id && begun.some(([other], later) => later > at && other === name),
      );
      expect(cut, `a job of Slurm job ${id} came back`).toBeDefined();
    }
  });

  it('whose only job checkpoints works in three allocations of 1 minute, and the ends do not count as losses', async (context) => {
    const site = await siteFor(context, 'checkpoint');
    await site.startServer();
    // the third beginning has little left to do
    const work =
      'n=$(cat saved 2>/dev/null || echo 0); trap \'echo $n > saved; exit 3\' TERM; echo "$n" >> begun; ' +
      'while [ $n -lt 1000 ]; do sleep 1 & wait $!; n=$((n + 1)); ' +
      '[ "$(wc -l < begun)" -lt 3 ] || break; done; echo $n > saved';
    const key = await site.start({
      name: 'checkpoint',
      max_losses: 1,
      jobs: [
        { name: 'long', command: work, supports_termination: true },
        { name: 'behind', command: 'cp saved result', depends_on: ['long'] },
      ],
    });
    await site.addConfig(key, '-w', '1', '-m', '200', '-e', elsewhere);
    await site.schedule(key, '-n', '1');
    await scheduleUntilDone(site, key, []);
    expect(await site.shown(key)).toMatchObject({ run_id: 1, num_done: 2, num_failed: 0 });
    const begun = (await site.read('begun')).split('\n').slice(0, -1).map(Number);
    expect(begun).toHaveLength(3);
    // each goes on where the one before it had come to
    const cameTo = [...begun, Number(await site.read('result'))];
    expect(cameTo).toEqual([...new Set(cameTo)].toSorted((a, b) => a - b));
    expect(await lostCauses(site, 'long', key)).toEqual(['walltime', 'walltime']);
  });
});

describe.concurrent('a job whose', () => {
  it('node runs out of memory, and the kernel takes the worker with it', async (context) => {
    const site = await siteFor(context, 'oom');
    await expectOutOfMemoryStory(site, {
      hog: hogThatTakesTheWorkerAlong,
      slurmState: 'OUT_OF_MEMORY',
      memoryMb: 300,
    });
  });

  it('allocation is canceled comes back, also when its worker could not say so', async (context) => {
    const site = await siteFor(context, 'scancel');
    await site.startServer('ctl', 10);
    const key = await site.start({
      name: 'scancel',
      jobs: [
        { name: 'told', command: 'test -e again || sleep 600' },
        { name: 'untold', command: `test -e again || { trap '' TERM; touch deaf; sleep 600 & wait; wait; }` },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '200', '-e', elsewhere);
    const { allocations } = await site.schedule(key, '-n', '2');
    await running(site, key, 'told', 'untold');
    await until('one is deaf', async () => (await run(['test', '-e', `${site.path}/deaf`])).exitCode === 0);
    const { hostname, slurm_job_id: untold } = await site.job(key, 'untold');
    const cancel = ['scancel', ...allocations.map((allocation) => allocation.slurm_job_id)];
    // it waits two seconds for a job that will not end, and dies before it can report
    await signalWorker('KILL', key, String(untold), hostname as Node, cancel);
    await site.write('again', '');
    await comesBack(site, key, 'told');
    await comesBack(site, key, 'untold');
    for (const name of ['told', 'untold']) expect(await lostCauses(site, name, key)).toEqual(['canceled']);
    expect(await site.shown(key)).toMatchObject({ status: 'waiting', run_id: 1 });
    await site.schedule(key, '-n', '1');
    expect(await site.ended(key)).toMatchObject({ status: 'done', run_id: 1, num_done: 2 });
  });

  it('allocation is requeued runs again by itself, never twice at a time', async (context) => {
    const site = await siteFor(context, 'requeue');
    await site.startServer();
    const key = await site.start({
      name: 'requeue',
      jobs: [
        {
          name: 'first',
          command: `${exclusive('first')}echo "$TORC_ATTEMPT_ID" >> attempts; test "$TORC_ATTEMPT_ID" = 2 || sleep 600`,
        },
        { name: 'behind', command: 'true', depends_on: ['first'] },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '200', '-e', `--requeue ${elsewhere}`);
    const { allocations } = await site.schedule(key, '-n', '1');
    const id = allocations[0]?.slurm_job_id ?? '';
    await until('the first attempt is at work', async () => {
      return (await run(['cat', `${site.path}/attempts`])).stdout === '1\n';
    });
    await requeue(id);
    // between the two starts nothing of the workflow is left to run
    await until('the requeued allocation has done it', async () => (await site.shown(key)).status === 'done');
    expect(await site.shown(key)).toMatchObject({ run_id: 1, num_done: 2 });
    expect(await site.read('attempts')).toBe('1\n2\n');
    expect(await run(['test', '-e', `${site.path}/overlaps`])).toMatchObject({ exitCode: 1 });
  });

  it('worker is frozen past its lease is not given away; by force it is, and late reports change nothing', async (context) => {
    const site = await siteFor(context, 'frozen');
    await site.startServer('ctl', 5);
    const wait = (name: string): string => `while ! test -e "end $TORC_ATTEMPT_ID ${name}"; do sleep 0.2; done`;
    const key = await site.start({
      name: 'frozen',
      jobs: [
        { name: 'counts', command: wait('counts') },
        { name: 'forced', command: wait('forced') },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '200', '-e', elsewhere);
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
