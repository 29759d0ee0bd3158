/** Requests about the database as a whole: copying it, and looking whether it is sound. */
import { z } from 'zod';
import { text } from './fields.ts';

/** Copies the database into a new file on the server's host. The path is absolute; nothing may be there. */
export const backup = z.strictObject({ path: text.min(1) });

export interface Problem {
  /** `damaged`: the file itself; `inconsistent`: what is stored contradicts itself. */
  kind: 'damaged' | 'inconsistent';
  workflow_key: string | null;
  job_key: string | null;
  job_name: string | null;
  message: string;
}

export interface CheckReply {
  sound: boolean;
  schema_version: number;
  num_workflows: number;
  num_jobs: number;
  num_attempts: number;
  num_problems: number;
  /** The first of them. */
  problems: Problem[];
}
