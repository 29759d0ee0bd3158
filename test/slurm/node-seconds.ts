/** How much of the time that allocations cost was used. */
import type { Site } from './site.ts';

/** Seconds in which workers had a job, and in which they had none; without those of these Slurm jobs. */
export async function nodeSeconds(
  site: Site,
  key: string,
  without: readonly string[],
): Promise<{ busy: number; idle: number }> {
  const nodes = (await site.computeNodes(key)).filter(({ slurm_job_id }) => !without.includes(slurm_job_id));
  const results = await site.results(key);
  let [busy, idle] = [0, 0];
  for (const { slurm_job_id, started_at, ended_at } of nodes) {
    const here = results
      .filter((one) => one.slurm_job_id === slurm_job_id)
      .map((one) => [Date.parse(String(one.start_time)), Date.parse(String(one.end_time))] as const)
      .toSorted(([a], [b]) => a - b);
    let [covered, until] = [0, 0];
    const over = Date.parse(String(ended_at));
    for (const [start, known] of here) {
      // the end of a lost attempt is when it was known
      const end = Math.min(known, over);
      covered += Math.max(0, end - Math.max(start, until));
      until = Math.max(until, end);
    }
    busy += covered / 1000;
    idle += (over - Date.parse(String(started_at)) - covered) / 1000;
  }
  return { busy: Math.round(busy), idle: Math.round(idle) };
}
