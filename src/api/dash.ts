/** What the page of `torc dash` gets from its listener besides replies of the server: what commands show as well. */
import type { AutoscalerChanges } from './autoscaling.ts';
import type { JobShown } from './jobs.ts';
import type { FailureGroup, WorkflowStatusReply } from './status.ts';
import type { UsageRow } from './usage.ts';

/** Calls of the page that no endpoint of the server has. */
export interface DashAnswers {
  program: { request: Record<string, never>; reply: Program };
  workflow_page: { request: { workflow_key: string }; reply: WorkflowPage };
  job_page: { request: { job_key: string }; reply: JobPage };
  log: { request: LogRequest; reply: LogPiece };
  series: { request: AttemptRequest; reply: Series };
  resources_page: { request: { workflow_key: string }; reply: ResourcesPage };
  nodes_page: { request: { workflow_key: string }; reply: NodesPage };
  node_plan: { request: { workflow_key: string }; reply: NodePlanText };
  plan: { request: DashRequest; reply: DashPlan };
  apply: { request: DashRequest & { state: string }; reply: DashResult };
}
export type DashAnswerName = keyof DashAnswers;

/** How commands are typed here: `torc`, with the server directory where that is another one than usual. */
export interface Program {
  torc: string;
}

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

export interface AttemptRequest {
  job_key: string;
  run_id: number;
  attempt_id: number;
}

/** What an attempt used while it ran, as its worker has recorded it; in a list of pieces of time that is not long. */
export interface Series {
  /** Since the start, in seconds: the end of each piece. */
  seconds: readonly number[];
  /** The most in each piece. */
  memory_bytes: readonly number[];
  /** How many CPUs it kept busy on average. */
  cpus: readonly number[];
  /** Why there is nothing; null where there is something. */
  missing: string | null;
  /** What of the file is not in it; null where all of it is. */
  left_out: string | null;
}

/** What jobs use of what they ask for. */
export interface ResourcesPage {
  usage: readonly UsageRow[];
  /** What to type for requests that follow it; null where no request should change. */
  typed: string | null;
}

/** What the nodes of a workflow follow from, besides lists. */
export interface NodesPage {
  /** In the words of `torc status`, with what it would do now; null for a workflow that asks for no nodes by itself. */
  autoscaler: {
    settings: string;
    state: string;
    wants: AutoscalerChanges;
    max_nodes: number;
    min_nodes: number;
  } | null;
  /** What to type to turn it on, or to see what it does. */
  typed: { autoscale: string };
}

/** What `torc hpc slurm plan` prints. */
export interface NodePlanText {
  typed: string;
  text: string;
  is_possible: boolean;
}

export interface LogRequest extends AttemptRequest {
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

interface CommandKind {
  /** On the button. */
  title: string;
  /** What its number counts, and the number to begin with; null for a command without one. */
  counts: string | null;
  number: number | null;
  /** What the least of its number counts; null for a command without one. */
  countsLeast: string | null;
  /** What it does, for a command that has no dry run; null for others. */
  planned: string | null;
  /** Applied only while its plan is the one that was seen. Others change with everything that runs. */
  isExact: boolean;
}

const usual = { counts: null, number: null, countsLeast: null, planned: null, isExact: false } as const;

/** The commands that the page runs. */
export const dashCommands = {
  start: { ...usual, title: 'Start', isExact: true },
  'rerun-failed': { ...usual, title: 'Rerun failed', isExact: true },
  recover: { ...usual, title: 'Recover', isExact: true },
  restart: { ...usual, title: 'Restart', isExact: true },
  pause: {
    ...usual,
    title: 'Pause',
    planned: 'No more jobs start. Running jobs continue, and idle workers stay for ten minutes.',
  },
  resume: { ...usual, title: 'Resume' },
  cancel: { ...usual, title: 'Cancel' },
  'schedule-nodes': { ...usual, title: 'Schedule nodes', counts: 'allocations', number: 1 },
  autoscale: { ...usual, title: 'Autoscale', counts: 'nodes at most', number: 10, countsLeast: 'nodes at least' },
  'autoscale-off': { ...usual, title: 'Stop autoscaling' },
  'correct-resources': { ...usual, title: 'Change requests', isExact: true },
  'jobs-hold': { ...usual, title: 'Hold' },
  'jobs-release': { ...usual, title: 'Release' },
  'jobs-cancel': { ...usual, title: 'Cancel' },
  'jobs-mark-done': { ...usual, title: 'Mark done', isExact: true },
} as const satisfies Record<string, CommandKind>;

export type DashCommand = keyof typeof dashCommands;

export interface DashRequest {
  command: DashCommand;
  key: string;
  /** How many, for a command that takes a number. */
  number: number | null;
  /** How many at least, for a command that takes that too; missing to leave it as it is. */
  least?: number | undefined;
}

export interface DashPlan {
  /** The same on the command line. */
  typed: string;
  text: string;
  /** False where the command would refuse; the text says why. */
  is_possible: boolean;
  /** Of what the plan says. */
  state: string;
}

export interface DashResult {
  is_done: boolean;
  /** The plan of now, when it is no longer the one that was seen: then nothing was done. */
  new_plan: DashPlan | null;
  text: string;
}
