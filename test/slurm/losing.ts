/** Ways to lose a worker for want of memory, and what torc must then know; the same in every variant of the cluster. */
import { expect } from 'vitest';
import type { DiagnosedJob, Plan } from '../../src/api/contract.ts';
import { until } from './cluster.ts';
import type { Site } from './site.ts';

/** For allocations of tests that run beside one that powers a node off. */
export const elsewhere = '--exclude=c4';

export const mebibyte = 1024 ** 2;

/** Holds so many mebibytes of memory for as many seconds. */
export function hold(mebibytes: number, seconds: number): string {
  return `node -e 'const b = Buffer.alloc(${mebibytes} * 2 ** 20, 1); setTimeout(() => b.length, ${seconds * 1000})'`;
}

/** Takes that much memory in steps, and holds it for longer than a worker takes to see it. */
export function ramp(mebibytes: number, stepMs = 50): string {
  return `exec node -e 'const held = []; const t = setInterval(() => { if (held.length < ${mebibytes / 20}) held.push(Buffer.alloc(20 * 2 ** 20, 1)); else { clearInterval(t); setTimeout(() => held.length, 4000); } }, ${stepMs})'`;
}

/**
 * Takes ever more memory in many processes, after it has offered the worker and its helper to the kernel as the first
 * to be killed: then they die with the job instead of reporting its end.
 */
export const hogThatTakesTheWorkerAlong = [
  'worker=$(ps -o ppid= -p $PPID)',
  'for pid in $PPID $worker; do echo 1000 > /proc/$pid/oom_score_adj; done',
  `for n in 1 2 3 4 5 6 7 8 9 10 11 12; do ${hold(40, 600)} & sleep 0.5; done`,
  'wait',
].join('\n');

/** Takes 600 MB in steps. */
export const plainHog = `node -e 'const held = []; setInterval(() => { if (held.length < 30) held.push(Buffer.alloc(20 * 2 ** 20, 1)); }, 300)'`;

/** The diagnosis of a job once its process is known to be gone. */
export function diagnosed(site: Site, key: string, name: string): Promise<DiagnosedJob> {
  return until(`the end of ${name} is explained`, async () => {
    const { jobs } = await site.json<{ jobs: DiagnosedJob[] }>(['jobs', 'diagnose', '-k', key]);
    const found = jobs.find((job) => job.job_name === name);
    return found?.diagnosis.process === 'gone' && found;
  });
}

/** Waits until a lost job is ready again in the same run, or runs again. */
export async function comesBack(site: Site, key: string, name: string): Promise<void> {
  const { job_key } = await site.job(key, name);
  const words = ['events', 'list', '-k', key, '-f', `job_key=${job_key}`];
  await until(`${name} comes back`, async () => {
    const { events } = await site.json<{ events: EventRow[] }>(words);
    return events.some(({ old_status, new_status }) => new_status === 'ready' && old_status !== 'blocked');
  });
}

interface EventRow {
  old_status: string | null;
  new_status: string | null;
}

/** Why the attempts of a job that did not finish it were lost, in their order. */
export async function lostCauses(site: Site, name: string, key: string): Promise<(string | null)[]> {
  const { job_key } = await site.job(key, name);
  const { attempts } = await site.json<{ attempts: { status: string; cause: string | null }[] }>([
    'jobs',
    'show',
    job_key,
  ]);
  return attempts.filter(({ status }) => status !== 'done').map(({ cause }) => cause);
}

/**
 * A hog and a neighbour lose their worker; torc says why. The neighbour comes back by itself, the hog stays until it is
 * fixed and restarted; then all ends well.
 */
export async function expectOutOfMemoryStory(
  site: Site,
  { hog, slurmState, memoryMb }: { hog: string; slurmState: string; memoryMb: number },
): Promise<void> {
  await site.startServer('ctl', 10);
  const key = await site.start({
    name: 'memory runs out',
    jobs: [
      { name: 'hog', command: hog },
      { name: 'neighbour', command: 'test -e fixed || sleep 600' },
      { name: 'behind', command: 'true', depends_on: ['hog', 'neighbour'] },
    ],
  });
  await site.addConfig(key, '-w', '10', '-m', String(memoryMb), '-e', `--cpus-per-task=2 ${elsewhere}`);
  const { allocations } = await site.schedule(key, '-n', '1');
  const slurmJobId = allocations[0]?.slurm_job_id;

  const found = await diagnosed(site, key, 'hog');
  expect(found).toMatchObject({
    status: 'submitted',
    diagnosis: { cause: 'oom', role: 'culprit', slurm_job_id: slurmJobId, slurm_state: slurmState },
  });
  expect(found.diagnosis.hostname).toMatch(/^c[1-4]$/);
  expect(found.diagnosis.peak_memory_bytes).toBeGreaterThan(50 * mebibyte);
  expect(found.diagnosis.suggested_memory_bytes).toBeGreaterThan(found.diagnosis.peak_memory_bytes ?? 0);
  await comesBack(site, key, 'neighbour');
  expect(await lostCauses(site, 'neighbour', key)).toEqual(['oom']);
  expect(await site.job(key, 'hog')).toMatchObject({ status: 'submitted', cause: 'oom', orphaned: true });
  expect(await site.shown(key)).toMatchObject({ status: 'waiting', run_id: 1 });
  await site.write('fixed', '');
  await site.schedule(key, '-n', '1');
  expect(await site.ended(key)).toMatchObject({ status: 'failed', run_id: 1, num_done: 1 });
  expect(await site.job(key, 'hog')).toMatchObject({ status: 'submitted', cause: 'oom', orphaned: true });

  await site.say(['-k', key, 'jobs', 'modify', found.job_key, '--command', 'true']);
  const planned = await site.json<Plan>(['workflows', 'restart', key, '--dry-run']);
  expect(planned.changes.map((change) => [change.job_name, change.old_status, change.new_status])).toEqual([
    ['hog', 'submitted', 'ready'],
  ]);
  // accounting may have answered later than the queue, and added to what was found first
  expect(planned.changes[0]?.diagnosis).toEqual((await diagnosed(site, key, 'hog')).diagnosis);
  const text = await site.say(['workflows', 'restart', key, '--dry-run']);
  expect(text).toMatch(/out of memory/i);
  expect(text).toContain(`${slurmJobId}`);
  const applied = await site.json<Plan>(['workflows', 'restart', key]);
  expect({ ...applied, dry_run: true }).toEqual(planned);
  await site.schedule(key, '-n', '1');
  expect(await site.ended(key)).toMatchObject({ status: 'done', run_id: 2, num_done: 3, num_failed: 0 });
}
