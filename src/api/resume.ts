/** A workflow that is created again: what its stored jobs are, and what a resume takes over from the specification. */
import { z } from 'zod';
import { changedField, count, json, key } from './fields.ts';
import { addedJob } from './jobs.ts';
import { limits } from './limits.ts';
import { createBegin } from './workflows.ts';

export const outline = z.strictObject({
  workflow_key: key,
  /** The last job of the page before; null for the first page. */
  after: key.nullable(),
  limit: z.number().int().positive().max(limits.listPage),
});

/** In stored order: key, name, what the job is (`jobIdentity`), and the digest of its settings. */
export const outlineReply = () =>
  z.strictObject({ jobs: z.array(z.tuple([key, z.string(), z.string(), z.string()])), more: z.boolean() });

/** What a specification states about a job besides its name and what it reads, writes and waits for. */
const jobSettings = addedJob.omit({
  name: true,
  hold: true,
  depends_on: true,
  input_files: true,
  output_files: true,
  input_user_data: true,
  output_user_data: true,
});

/** Of the specification with which the workflow was created again. */
const takeOver = z.strictObject({
  /** Without the numbers of its parts and without actions. */
  workflow: createBegin.omit({
    num_jobs: true,
    num_files: true,
    num_user_data: true,
    num_barriers: true,
    actions: true,
    user: true,
  }),
  /** How many jobs were compared: with another number the workflow has changed meanwhile. */
  num_jobs: count,
  /** The jobs with other settings. */
  jobs: z.array(jobSettings.extend({ job_key: key })),
  /** Data that the specification gives and that are others than before. */
  user_data: z.array(z.strictObject({ user_data_key: key, data: json() })),
});

/** What makes a restart a resume: it runs failed jobs again and ends a pause. */
export const resume = z.strictObject({ take_over: takeOver.optional() });

/** What a resume took over. */
export const takenOver = () =>
  z.strictObject({
    settings: z.array(changedField()),
    /** The first of them, with the names of the settings that changed. */
    jobs: z.array(z.strictObject({ job_key: key, job_name: z.string(), fields: z.array(z.string()) })),
    num_jobs: count,
  });
export type TakenOver = z.infer<ReturnType<typeof takenOver>>;
