/**
 * A thousand jobs from one command to their end, with nobody typing: some run out of memory or time, some of these without
 * a rule for it, some take their worker down, nodes lose power and allocations end.
 */
import { afterEach, beforeAll, expect, it } from 'vitest';
import { type Node, nodeBack, output, power, repairCluster, requireCluster, run, until } from '../slurm/cluster.ts';
import { hogThatTakesTheWorkerAlong, mebibyte, ramp } from '../slurm/losing.ts';
import { nodeSeconds } from '../slurm/node-seconds.ts';
import type { ResultRow } from '../slurm/rows.ts';
import { type Site, siteFor } from '../slurm/site.ts';

beforeAll(requireCluster);
afterEach(repairCluster);

const numJobs = 1000;
const maxNodes = 3;
const minutes = 60_000;

/** Each attempt says when it begins and ends; it complains when another one of its job is at work. */
const once = (work: string): string =>
  [
    // any other code than that of a conflict: the kernel has killed it
    'exec 9> "locks/$TORC_JOB_NAME"; flock -n -E 75 9; test $? != 75 || echo "$TORC_JOB_NAME $TORC_ATTEMPT_ID" >> overlaps',
    'echo "$TORC_JOB_NAME $TORC_RUN_ID $TORC_ATTEMPT_ID" >> begun',
    work,
    'echo "$TORC_JOB_NAME $TORC_RUN_ID $TORC_ATTEMPT_ID" >> ended',
  ].join('\n');

interface Kind {
  work: string;
  requirements?: string;
}

const plain: Kind = { work: 'sleep 2', requirements: 'small' };
const kinds: Record<string, Kind> = {
  plain,
  /** Needs more than twice its memory: torc stops it. */
  grows: { work: `(${ramp(80)}) || exit $?`, requirements: 'light' },
  /** Needs more than its node has, and states nothing: the kernel kills it. */
  hog: { work: `(${ramp(640)}) || exit $?` },
  /** Dies with its worker and all that runs there. */
  bomb: { work: `test "$TORC_ATTEMPT_ID" != 1 || {\n${hogThatTakesTheWorkerAlong}\n}` },
  late: { work: 'sleep 5', requirements: 'brief' },
  /** Needs more than its memory, and no rule gives it that: its run fails, and is recovered. */
  unruled: { work: `(${ramp(60)}) || exit $?`, requirements: 'small' },
};

function kindOf(at: number): string {
  if ([150, 250, 555].includes(at)) return 'unruled';
  if (at % 150 === 120) return 'bomb';
  if (at % 100 === 60) return 'hog';
  if (at % 20 === 7) return 'grows';
  return at % 40 === 13 ? 'late' : 'plain';
}

/** Three layers, each job below one of the layer before, and a last one below all. */
function jobs(): object[] {
  const name = (at: number): string => `${kindOf(at)}_${at}`;
  const layers = [0, numJobs * 0.4, numJobs * 0.8, numJobs - 1];
  return Array.from({ length: numJobs }, (_, at) => {
    const { work, requirements } = kinds[kindOf(at)] ?? plain;
    const layer = layers.findLastIndex((first) => at >= first);
    const [above = 0, first = 0] = [layers[layer - 1], layers[layer]];
    const count = first - above;
    const depends_on =
      layer === 0
        ? []
        : layer === layers.length - 1
          ? Array.from({ length: count }, (_, other) => name(above + other))
          : [name(above + ((at - first) % count))];
    return {
      ...{ name: name(at), command: once(work), depends_on },
      ...(kindOf(at) === 'unruled' ? {} : { failure_handler: 'grow' }),
      ...(requirements === undefined ? {} : { resource_requirements: requirements }),
    };
  });
}

async function numLines(site: Site, name: string): Promise<number> {
  return Number((await run(['sh', '-c', 'wc -l < "$1"', 'sh', `${site.path}/${name}`])).stdout || 0);
}

/** Slurm jobs of this place that run, with the first of their nodes. */
async function running(site: Site): Promise<{ id: string; host: Node }[]> {
  const text = await output(['squeue', '-h', '--me', '-t', 'R', '-o', '%i|%N|%Z']);
  const rows = text.split('\n').map((line) => line.split('|'));
  return rows.filter(([, , place]) => place === site.path).map(([id = '', host = '']) => ({ id, host: host as Node }));
}

/** Takes the power from a node that works for this place until Slurm has noticed; the Slurm job that ran there. */
async function loseNode(site: Site, key: string): Promise<string> {
  const { id, host } = await until('a node is at work', async () => {
    const jobs = await site.jobs(key);
    const busy = new Set(jobs.map(({ status, slurm_job_id }) => (status === 'submitted' ? slurm_job_id : null)));
    return (await running(site)).find((one) => busy.has(one.id));
  });
  power(host, 'off');
  await until('Slurm has noticed', async () => (await running(site)).every((one) => one.id !== id));
  power(host, 'on');
  await nodeBack(host);
  return id;
}

/** How many nodes were queued or running at most, by the seconds that Slurm has written down. */
async function mostNodes(site: Site, key: string): Promise<number> {
  const ids = (await site.allocations(key)).flatMap(({ slurm_job_id }) => slurm_job_id ?? []);
  const words = ['env', 'SLURM_TIME_FORMAT=%s', 'sacct', '-n', '-P', '-X', '-j', ids.join(',')];
  const text = await output([...words, '-o', 'Submit,End,NNodes']);
  const spans = text
    .trim()
    .split('\n')
    .map((line) => line.split('|').map(Number));
  expect(spans).toHaveLength(ids.length);
  const at = (second: number): number =>
    spans.reduce((sum, [from = 0, to = 0, nodes = 0]) => sum + (from <= second && second < to ? nodes : 0), 0);
  return Math.max(...spans.map(([from = 0]) => at(from)));
}

it('goes to its end from one command, whatever its jobs, nodes and allocations do', {
  timeout: 15 * minutes,
}, async (context) => {
  const site = await siteFor(context, 'unattended');
  await site.startServer('ctl', 10);
  await site.makeFolder('locks');
  const scheduler = (name: string, mem: string): object => ({
    ...{ name, account: 'torc', walltime: '00:02:00', mem, extra: '--cpus-per-task=4' },
  });
  const spec = {
    name: 'unattended',
    resource_requirements: [
      { name: 'small', num_cpus: 1, memory: '50m' },
      { name: 'light', num_cpus: 1, memory: '60m' },
      { name: 'brief', num_cpus: 1, memory: '40m', runtime: 'PT2S' },
    ],
    failure_handlers: [{ name: 'grow', rules: [{ max_retries: 9, scale: { memory: 2, runtime: 2 } }] }],
    slurm_schedulers: [scheduler('node', '600M'), scheduler('large', '1500M')],
    jobs: jobs(),
  };
  const words = ['-F', 'json', 'submit', '-', '--autoscale', '--max', String(maxNodes), '--recover'];
  const began = performance.now();
  const { workflow_key: key } = JSON.parse(await site.say(words, { input: JSON.stringify(spec) })) as {
    workflow_key: string;
  };
  const lost: string[] = [];
  for (const part of [0.1, 0.5]) {
    const enough = numJobs * part;
    await until(`${enough} jobs have ended`, async () => (await numLines(site, 'ended')) >= enough);
    lost.push(await loseNode(site, key));
  }
  await until('everything is done', async () => (await site.shown(key)).status === 'done', 600);
  const seconds = Math.round((performance.now() - began) / 1000);
  await site.queueEmpty();

  const results = await site.results(key);
  const counts = countsOf(results);
  const { busy, idle } = await nodeSeconds(site, key, lost);
  const numStarts = (await site.allocations(key)).length;
  console.log(
    JSON.stringify({
      seconds,
      runs: (await site.shown(key)).run_id,
      numStarts,
      busy,
      idle,
      numAttempts: results.length,
      ...counts,
    }),
  );
  expect(await site.shown(key)).toMatchObject({ status: 'done', num_done: numJobs, num_failed: 0 });
  expect(await mostNodes(site, key)).toBeLessThanOrEqual(maxNodes);

  // each job was finished by one attempt, and no two of its attempts were at work together
  expect((await run(['cat', `${site.path}/overlaps`])).stdout).toBe('');
  const finished = (await site.read('ended')).trim().split('\n');
  expect(new Set(finished).size).toBe(finished.length);
  const successes = results.filter(({ cause }) => cause === 'success');
  expect(successes).toHaveLength(numJobs);
  expect(new Set(successes.map(({ job_name }) => job_name)).size).toBe(numJobs);
  const wordsOf = ({ job_name, run_id, attempt_id }: ResultRow): string => `${job_name} ${run_id} ${attempt_id}`;
  const ends = new Set(finished);
  expect(successes.filter((row) => !ends.has(wordsOf(row)))).toEqual([]);
  // what ended a second time had been lost before its end was known
  const lostOnes = new Set(results.filter(({ status }) => ['lost', 'terminated'].includes(status)).map(wordsOf));
  const known = new Set(successes.map(wordsOf));
  expect(finished.filter((line) => !known.has(line) && !lostOnes.has(line))).toEqual([]);

  // everything that this is about has happened
  for (const cause of ['oom', 'job_timeout', 'node_failure', 'walltime'])
    expect(counts.causes[cause], cause).toBeGreaterThan(0);
  // by the kernel, beside a worker that went on and together with its worker
  const tookItsWorker = ({ cause, status, scaled }: ResultRow): boolean =>
    cause === 'oom' && status === 'lost' && scaled !== null;
  expect(results.some(({ detail }) => detail?.startsWith('the kernel killed it'))).toBe(true);
  expect(results.some(tookItsWorker)).toBe(true);
  expect(
    results.filter(({ job_name, run_id }) => job_name.startsWith('unruled') && Number(run_id) > 1).length,
  ).toBeGreaterThan(0);
  const scaled = results.filter(({ scaled }) => scaled !== null);
  const isMeant = ({ job_name }: ResultRow): boolean => !job_name.startsWith('plain');
  expect(scaled.filter((row) => !isMeant(row))).toEqual([]);
  const plainOnes = results.filter((row) => !isMeant(row));
  expect(plainOnes.every(({ requested_memory_bytes: asked }) => asked === 50 * mebibyte)).toBe(true);
});

function countsOf(results: readonly ResultRow[]): { causes: Record<string, number>; numScaled: number } {
  const causes: Record<string, number> = {};
  for (const { cause } of results) causes[cause] = (causes[cause] ?? 0) + 1;
  return { causes, numScaled: results.filter(({ scaled }) => scaled !== null).length };
}
