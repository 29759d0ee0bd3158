/** What is typed after `torc exec`, or stands in the `#TORC` lines of its script. */
import type { JobNeeds } from '../../model/expand/plain-jobs.ts';
import type { AutoSizeOptions } from './auto-size-options.ts';
import type { StdioOption } from './options.ts';
import type { SubmissionOptions } from './submission.ts';

export interface ExecOptions extends JobNeeds, StdioOption, AutoSizeOptions, SubmissionOptions {
  /** Shell texts. */
  command?: readonly string[];
  commandsFile?: string;
  param?: readonly string[];
  parameterMode?: 'product' | 'zip';
  eachLine?: string;
  fromJson?: string;
  array?: string;
  name?: string;
  local?: boolean;
  slurm?: boolean;
  wait?: boolean;
  progress?: boolean;
  failFast?: boolean;
  /** Seconds. */
  timeout?: number;
  monitor?: 'off' | 'summary' | 'time-series';
  generatePlots?: boolean;
  dryRun?: boolean;
  showJobs?: boolean;
  /** Words of torc 1.0. */
  numCpus?: number;
  numGpus?: number;
  numNodes?: number;
}
