/** The columns of lists: which are shown, how wide they are, and how their values are written. */
import type { ComponentChildren } from 'preact';
import type { ListName, ListRecord } from '../api/contract.ts';
import { formatCount, formatDuration, formatMemory } from './format.ts';
import { AllocationStatus, JobStatus, Status, Time } from './parts.tsx';
import { jobHref } from './route.ts';

type Kind =
  | 'text'
  | 'key'
  | 'job'
  | 'count'
  | 'bytes'
  | 'seconds'
  | 'instant'
  | 'status'
  | 'job_status'
  | 'allocation'
  | 'flag'
  | 'json';

export interface ShownColumn {
  name: string;
  title: string;
  kind: Kind;
  /** The least width in pixels. The column named `grows` gets what is left. */
  width: number;
  grows?: boolean;
}

function column(name: string, title: string, kind: Kind, width: number, grows = false): ShownColumn {
  return { name, title, kind, width, ...(grows ? { grows } : {}) };
}

/** The most important first: what does not fit is left out from the end. */
export const columnsOf: Readonly<Partial<Record<ListName, readonly ShownColumn[]>>> = {
  jobs: [
    column('job_key', 'key', 'key', 72),
    column('name', 'name', 'text', 200, true),
    column('status', 'status', 'job_status', 124),
    column('return_code', 'code', 'count', 56),
    column('cause', 'cause', 'text', 104),
    column('attempt_id', 'attempt', 'count', 76),
    column('hostname', 'node', 'text', 120),
    column('num_cpus', 'cpus', 'count', 56),
    column('memory_bytes', 'memory', 'bytes', 76),
    column('run_id', 'run', 'count', 48),
    column('priority', 'priority', 'count', 76),
  ],
  results: [
    column('job_key', 'job', 'job', 76),
    column('job_name', 'name', 'text', 180, true),
    column('status', 'ended', 'job_status', 110),
    column('return_code', 'code', 'count', 56),
    column('cause', 'cause', 'text', 104),
    column('exec_time_seconds', 'time', 'seconds', 84),
    column('peak_memory_bytes', 'peak', 'bytes', 76),
    column('hostname', 'node', 'text', 120),
    column('end_time', 'when', 'instant', 110),
    column('run_id', 'run', 'count', 48),
    column('attempt_id', 'attempt', 'count', 76),
  ],
  events: [
    column('timestamp', 'when', 'instant', 120),
    column('type', 'event', 'text', 170),
    column('job_key', 'job', 'job', 84),
    column('new_status', 'status', 'status', 130),
    column('data', 'details', 'json', 180, true),
    column('who', 'who', 'text', 90),
  ],
  compute_nodes: [
    column('hostname', 'node', 'text', 160, true),
    column('is_active', 'active', 'flag', 64),
    column('num_running', 'jobs', 'count', 56),
    column('num_cpus', 'cpus', 'count', 56),
    column('memory_bytes', 'memory', 'bytes', 76),
    column('num_gpus', 'gpus', 'count', 56),
    column('slurm_job_id', 'Slurm job', 'text', 90),
    column('started_at', 'started', 'instant', 110),
    column('last_heartbeat_at', 'heard from', 'instant', 110),
    column('ended_at', 'ended', 'instant', 110),
    column('close_reason', 'why', 'text', 120),
  ],
  allocations: [
    column('name', 'name', 'text', 150, true),
    column('slurm_job_id', 'Slurm job', 'text', 90),
    column('status', 'status', 'allocation', 110),
    column('slurm_state', 'Slurm says', 'text', 120),
    column('num_nodes', 'nodes', 'count', 60),
    column('num_workers', 'workers', 'count', 78),
    column('num_jobs_done', 'jobs done', 'count', 86),
    column('time_left_seconds', 'time left', 'seconds', 84),
    column('hostnames', 'on', 'text', 140),
    column('created_at', 'submitted', 'instant', 110),
    column('error', 'error', 'text', 160),
  ],
  files: [
    column('name', 'name', 'text', 160),
    column('path', 'path', 'text', 240, true),
    column('size_bytes', 'size', 'bytes', 76),
    column('modified_at', 'modified', 'instant', 120),
  ],
  user_data: [
    column('name', 'name', 'text', 160),
    column('data', 'data', 'json', 240, true),
    column('is_ephemeral', 'ephemeral', 'flag', 96),
    column('version', 'version', 'count', 70),
  ],
  runs: [
    column('run_id', 'run', 'count', 56),
    column('how', 'how', 'text', 100),
    column('who', 'who', 'text', 100, true),
    column('status', 'status', 'status', 120),
    column('num_done', 'done', 'count', 80),
    column('num_failed', 'failed', 'count', 80),
    column('num_canceled', 'canceled', 'count', 80),
    column('elapsed_seconds', 'took', 'seconds', 84),
    column('started_at', 'started', 'instant', 120),
  ],
};

const aligned: readonly Kind[] = ['count', 'bytes', 'seconds', 'key', 'job'];

export function isNumber({ kind }: ShownColumn): boolean {
  return aligned.includes(kind);
}

/** Those that fit. */
export function fitting(columns: readonly ShownColumn[], width: number): ShownColumn[] {
  let left = width;
  return columns.filter(({ width: own }) => {
    left -= own;
    return left >= 0;
  });
}

export function template(columns: readonly ShownColumn[]): string {
  return columns.map(({ width, grows }) => (grows === true ? `minmax(${width}px, 1fr)` : `${width}px`)).join(' ');
}

export function cellOf(column: ShownColumn, record: ListRecord): ComponentChildren {
  const value = record[column.name];
  if (value === null || value === undefined) return '';
  switch (column.kind) {
    case 'count':
      return formatCount(Number(value));
    case 'bytes':
      return formatMemory(Number(value));
    case 'seconds':
      return formatDuration(Number(value));
    case 'instant':
      return <Time at={String(value)} />;
    case 'status':
      return <Status of={String(value)} />;
    case 'allocation':
      return <AllocationStatus of={String(value)} />;
    case 'job_status':
      return <JobStatus status={String(value)} outcome={record.outcome} orphaned={record.orphaned} />;
    case 'job':
      return (
        <a href={jobHref(String(value))} tabIndex={-1}>
          {String(value)}
        </a>
      );
    case 'flag':
      return value === true ? 'yes' : 'no';
    case 'json':
      return typeof value === 'string' ? value : JSON.stringify(value);
    default:
      return String(value);
  }
}

/** The page of the job that a row is about; null for other rows. */
export function hrefOf(record: ListRecord): string | null {
  return record.job_key == null ? null : jobHref(String(record.job_key));
}
