/** A workflow whose nodes come and go by themselves, and what Slurm has of it meanwhile. */
import { output, until } from './cluster.ts';
import type { Site } from './site.ts';

/** Stages of different width, each job of one behind all of the stage before. */
const stages = { one: 1, two: 8, three: 3 };
export type Stage = keyof typeof stages;
export const maxNodes = 3;

function jobsOf(stage: Stage, seconds: number, after?: Stage): object[] {
  const before =
    after === undefined ? {} : { depends_on: Array.from({ length: stages[after] }, (_, at) => `${after}${at}`) };
  return Array.from({ length: stages[stage] }, (_, at) => ({
    name: `${stage}${at}`,
    command: `sleep ${seconds}`,
    resource_requirements: stage,
    ...before,
  }));
}

/** Starts it with an autoscaler; what its jobs take is learned for each stage anew. Returns its key. */
export async function startStages(site: Site, jobSeconds: number, extra: string): Promise<string> {
  const created = await site.say(['-F', 'json', 'workflows', 'create', '-'], {
    input: JSON.stringify({
      name: 'autoscale',
      resource_requirements: Object.keys(stages).map((name, at) => {
        return { name, num_cpus: 1, memory: `${10 + at}m`, runtime: 'PT5M' };
      }),
      jobs: [...jobsOf('one', jobSeconds), ...jobsOf('two', jobSeconds, 'one'), ...jobsOf('three', jobSeconds, 'two')],
      slurm_schedulers: [
        { name: 'c', account: 'torc', walltime: '00:20:00', mem: '300M', extra: `--cpus-per-task=2 ${extra}` },
      ],
    }),
  });
  const { workflow_key: key } = JSON.parse(created) as { workflow_key: string };
  await site.say(['workflows', 'autoscale', key, '--max', String(maxNodes), '--idle', '2s']);
  return key;
}

export async function runs(site: Site, key: string, name: string): Promise<void> {
  await until(`${name} runs`, async () => (await site.job(key, name)).status === 'submitted');
}

export interface Queued {
  id: string;
  state: string;
  numNodes: number;
  host: string;
}

/** What Slurm has of this place, without what is ending; null while it does not answer. */
export async function queue(site: Site): Promise<Queued[] | null> {
  const words = ['timeout', '5', 'squeue', '-h', '--me', '-o', '%i|%t|%D|%Z|%N'];
  const text = await output(words).catch(() => null);
  if (text === null) return null;
  const rows = text.split('\n').map((line) => line.split('|'));
  return rows
    .filter(([, state, , place]) => place === site.path && state !== 'CG')
    .map(([id = '', state = '', numNodes = '', , host = '']) => ({ id, state, numNodes: Number(numNodes), host }));
}

/** Looks at the queue until it is told to stop; then it says how many nodes there were at most. */
export function watchNodes(site: Site): () => Promise<number> {
  let most = 0;
  let isWatching = true;
  const watching = (async () => {
    while (isWatching) {
      const seen = (await queue(site)) ?? [];
      most = Math.max(
        most,
        seen.reduce((sum, { numNodes }) => sum + numNodes, 0),
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  return async () => {
    isWatching = false;
    await watching;
    return most;
  };
}
