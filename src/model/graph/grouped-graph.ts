/**
 * A workflow's graph with its jobs in groups, in the words of the wire. The schemas are functions: import only the types
 * where zod must not be loaded.
 */
import { z } from 'zod';

const count = z.number().int().nonnegative();

export const jobGroup = () =>
  z.strictObject({
    /** A job's name, or what the names of the group begin with and a star. */
    label: z.string(),
    /** 0 for a barrier: all jobs before it end before any job after it starts. */
    num_jobs: count,
    /** From 1; the first stage of a group that spans several. */
    stage: count,
    /** Jobs by status; `failed` are those done with a return code other than 0, which `done` leaves out. */
    counts: z.record(z.string(), count),
  });
export type JobGroup = z.infer<ReturnType<typeof jobGroup>>;

export const groupedGraph = () =>
  z.strictObject({
    groups: z.array(jobGroup()),
    /** [upstream, downstream] as indices of groups. */
    edges: z.array(z.tuple([count, count])),
  });
export type GroupedGraph = z.infer<ReturnType<typeof groupedGraph>>;
