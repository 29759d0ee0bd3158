/** Jobs that add jobs while they run: they repeat what was not answered, and die at any point. */

import { asTorcError } from '../../src/base/errors.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import type { Database } from '../../src/storage/database/database.ts';
import { Process } from './clock.ts';
import type { JobProcess } from './machines.ts';
import type { Random } from './random.ts';
import type { SimWorkflow } from './workflow.ts';
import type { World } from './world.ts';

/** What a job adds in each of its calls, the same whenever it runs; calls overlap. */
export interface Adding {
  calls: { names: string[]; before: string[]; now: boolean }[];
}

/** Some jobs add others; none in most worlds. */
export function randomAdding(
  { jobs, edges }: Pick<SimWorkflow, 'jobs' | 'edges'>,
  random: Random,
): Map<string, Adding> {
  const adding = new Map<string, Adding>();
  if (!random.chance(0.4)) return adding;
  for (const [index, { name }] of jobs.entries()) {
    if (!random.chance(0.4)) continue;
    const behind = edges.filter(([from, to]) => from === index && to > index).map(([, to]) => jobs[to]?.name ?? '');
    // one child is added in one way, in whatever calls
    const calls = Array.from({ length: random.int(1, 3) }, (_, call) => ({
      names: Array.from({ length: random.int(1, 3) }, (_, n) => `${name}_c${call}_${n}`),
      before: random.chance(0.7) ? behind.slice(0, 1) : [],
      now: random.chance(0.2),
    }));
    adding.set(name, { calls: [...calls, ...calls.slice(0, random.int(0, 1))] });
  }
  return adding;
}

/** How many jobs there are to add. */
export function countAdded(adding: ReadonlyMap<string, Adding>): number {
  return new Set([...adding.values()].flatMap(({ calls }) => calls.flatMap(({ names }) => names))).size;
}

const mostTries = 20;
/** How long a process that a job has left behind goes on. */
const longestAfterMs = 20_000;

export class Children {
  readonly #world: World;
  /** Jobs that a job was told are added. */
  readonly #acknowledged = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A job has begun to run; its calls end with its process. */
  begin(name: string, job: JobProcess): void {
    const adding = this.#world.workflow.adding.get(name);
    if (adding === undefined) return;
    const { timeline, machines, random } = this.#world;
    const client = new Process(timeline, job.machine.host, machines.nextPid());
    const { exited } = job;
    const isLeftBehind = random.chance(0.3);
    job.exited = (exit) => {
      if (isLeftBehind) timeline.after(random.spread(100, longestAfterMs), () => client.kill());
      else client.kill();
      exited(exit);
    };
    void this.#add(client, String(job.attempt), adding);
  }

  async #add(client: Process, attempt_key: string, { calls }: Adding): Promise<void> {
    const { network, random, check } = this.#world;
    const api = network.apiFor(client, () => {});
    for (const { names, before, now } of calls) {
      await this.#pause(client, random.spread(1, 10_000));
      const jobs = expandChildren(
        names.map((name) => ({ name, command: `make ${name}` })),
        { file: 'children' },
      );
      for (let tries = 0; tries < mostTries; tries++) {
        try {
          const reply = await api.call('jobs_add_children', { attempt_key, jobs, before, now, dry_run: false });
          for (const { name, job_key, is_new } of reply.jobs) this.#noteAdded(name, job_key, is_new);
          break;
        } catch (error) {
          const { code, message } = asTorcError(error);
          check.note(`children ${code}`);
          if (code === 'usage' || code === 'not_found' || /already has the name|max_dynamic_jobs/.test(message)) {
            check.broken.push(`a job cannot add its jobs: ${message}`);
          }
          if (code === 'conflict') return;
        }
        await this.#pause(client, random.spread(500, 5_000));
      }
    }
  }

  #pause(client: Process, forMs: number): Promise<void> {
    return new Promise((resolve) => void client.clock.after(forMs, resolve));
  }

  #noteAdded(name: string, jobKey: string, isNew: boolean): void {
    this.#world.check.note(isNew ? 'children added' : 'children found');
    const before = this.#acknowledged.get(name);
    if (before !== undefined && before !== jobKey) {
      this.#world.check.broken.push(`child ${name} is job ${before} and job ${jobKey}`);
    }
    this.#acknowledged.set(name, jobKey);
  }

  /** What was acknowledged is there, and as one job. */
  lookAtEnd(db: Database, workflowKey: string): string[] {
    const sql = 'SELECT job_key FROM jobs WHERE workflow_key = ? AND name = ?';
    return [...this.#acknowledged].flatMap(([name, jobKey]) => {
      const keys = db.all<{ job_key: number }>(sql, workflowKey, name).map(({ job_key }) => String(job_key));
      return keys.length === 1 && keys[0] === jobKey ? [] : [`child ${name} was added as job ${jobKey}, is ${keys}`];
    });
  }
}

/** Each name once, and nothing added for an attempt that had ended. */
export function brokenChildren(db: Database): string[] {
  const twice = db
    .all<{ workflow_key: number; name: string; n: number }>(
      'SELECT workflow_key, name, count(*) AS n FROM jobs GROUP BY 1, 2 HAVING n > 1',
    )
    .map(({ workflow_key, name, n }) => `workflow ${workflow_key} has ${n} jobs named ${name}`);
  const late = db
    .all<{ attempt_key: number }>(
      `SELECT a.attempt_key FROM events e JOIN attempts a ON a.attempt_key = e.attempt_key
       WHERE e.type = 'children_added' AND a.end_event < e.event_key`,
    )
    .map(({ attempt_key }) => `attempt ${attempt_key} added jobs after its end`);
  return [...twice, ...late];
}
