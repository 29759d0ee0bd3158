/** What the page of `torc dash` gets from its listener besides replies of the server: what commands show as well. */
import type { JobShown } from './jobs.ts';
import type { FailureGroup, WorkflowStatusReply } from './status.ts';

/** Calls of the page that no endpoint of the server has. */
export interface DashAnswers {
  workflow_page: { request: { workflow_key: string }; reply: WorkflowPage };
  job_page: { request: { job_key: string }; reply: JobPage };
  log: { request: LogRequest; reply: LogPiece };
}
export type DashAnswerName = keyof DashAnswers;

/** A failed or lost job with its last lines; null where they cannot be read here, or were not kept. */
export interface ShownFailure {
  job_key: string;
  job_name: string;
  attempt_id: number | null;
  detail: string | null;
  hostname: string | null;
  command: string;
  stderr_tail: readonly string[] | null;
}

/** How a workflow stands, as `torc status KEY` shows it. */
export interface WorkflowPage {
  page: WorkflowStatusReply;
  /** `how`: in words. */
  failures: readonly (FailureGroup & { how: string; shown: readonly ShownFailure[] })[];
  /** Commands for each of what holds jobs back, in the same order. */
  help: readonly (readonly string[])[];
  /** What to type next. */
  next: readonly string[];
}

/** A job's whole story, and why it does not run, each reason with the commands that help. */
export interface JobPage {
  shown: JobShown;
  reasons: readonly { text: string; help: readonly string[] }[];
}

export interface LogRequest {
  job_key: string;
  run_id: number;
  attempt_id: number;
  stream: 'stdout' | 'stderr';
  /** Where to read from; null for the last lines. */
  offset: number | null;
}

export interface LogPiece {
  text: string;
  /** Where the text begins, and where the next piece does. */
  offset: number;
  next_offset: number;
  /** Nothing more is going to be written. */
  has_ended: boolean;
  /** Why there is nothing; null where there is something, or is going to be. */
  missing: string | null;
}
