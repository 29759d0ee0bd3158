/** Every file name that torc makes for jobs and workers, in one place. */
import { join } from 'node:path';
import { isoInstant } from './clock.ts';

export interface AttemptName {
  jobKey: string;
  runId: number;
  /** Number of the attempt within (job, run). */
  attemptId: number;
}

export interface JobStdioPaths {
  stdoutPath: string;
  stderrPath: string;
  /** Both streams go to the first path. */
  isJoined?: boolean;
}

/**
 * Where the stdout and stderr of one attempt go: `job_stdio/0012/job_12345_run_1_attempt_1.out` and `.err` below the
 * output directory. Each folder holds a thousand jobs, so that none grows with the workflow.
 */
export function jobStdioPaths(outputDirectory: string, attempt: AttemptName): JobStdioPaths {
  const stem = jobStem(outputDirectory, attempt);
  return { stdoutPath: `${stem}.out`, stderrPath: `${stem}.err` };
}

function jobStem(outputDirectory: string, attempt: AttemptName): string {
  return join(outputDirectory, 'job_stdio', shardName(attempt), attemptName(attempt));
}

/** Where a worker that combines logs has its files: `job_stdio/worker_WORKERID/`. */
export function workerLogDirectory(outputDirectory: string, workerId: string): string {
  return join(outputDirectory, 'job_stdio', `worker_${workerId}`);
}

/** The output of all its jobs that have ended. */
export function combinedLogPath(outputDirectory: string, workerId: string): string {
  return join(workerLogDirectory(outputDirectory, workerId), 'combined.gz');
}

/** The files to which one job at a time writes while it runs: `slot_1.out` and `slot_1.err`. */
export function slotPaths(outputDirectory: string, workerId: string, slot: number): JobStdioPaths {
  const stem = join(workerLogDirectory(outputDirectory, workerId), `slot_${slot}`);
  return { stdoutPath: `${stem}.out`, stderrPath: `${stem}.err` };
}

/**
 * Where a recovery script that failed leaves a link whose text is its return code: `job_12345_run_1_attempt_2.recovery`
 * beside the output of the attempt that it was to prepare.
 */
export function failedRecoveryPath(outputDirectory: string, attempt: AttemptName): string {
  return `${jobStem(outputDirectory, attempt)}.recovery`;
}

/** Where the memory and processor time of one attempt go: `resource_monitor/0012/job_12345_run_1_attempt_1.csv`. */
export function timeSeriesPath(outputDirectory: string, attempt: AttemptName): string {
  return join(outputDirectory, 'resource_monitor', shardName(attempt), `${attemptName(attempt)}.csv`);
}

function shardName({ jobKey }: AttemptName): string {
  return jobKey.slice(0, -3).padStart(4, '0');
}

function attemptName({ jobKey, runId, attemptId }: AttemptName): string {
  return `job_${jobKey}_run_${runId}_attempt_${attemptId}`;
}

export const userDataFolder = 'user_data';

/**
 * Where one attempt writes its output user data, the one of each index of its list: `0.json` and so on below
 * `user_data/0012/job_12345_run_1_attempt_1/` in the output directory. Names may hold anything, so they are not used.
 */
export function userDataPaths(outputDirectory: string, attempt: AttemptName, numData: number): string[] {
  const directory = join(outputDirectory, userDataFolder, shardName(attempt), attemptName(attempt));
  return Array.from({ length: numData }, (_, index) => join(directory, `${index}.json`));
}

/** Where an attempt on several nodes leaves its result value and finds its inputs: beside its user data. */
export function sharedValuePaths(dataDirectory: string, attempt: AttemptName): { result: string; inputs: string } {
  const directory = join(dataDirectory, userDataFolder, shardName(attempt), attemptName(attempt));
  return { result: join(directory, 'result.json'), inputs: join(directory, 'inputs.json') };
}

/** Everything in a server directory whose content torc believes, or to which it adds; `*` is each one in a folder. */
export const serverDirectoryNames: readonly string[] = [
  ...[
    'torc.db',
    'torc.db-wal',
    'torc.db-journal',
    'server.json',
    'metrics-token',
    'key.pem',
    'epoch',
    'holder.json',
    'heartbeat',
  ],
  ...[
    'server.log',
    'server.jsonl',
    'workers/*',
    'actions',
    'notifications',
    'smtp.json',
    'job_data',
    'job_steps',
    'slurm_stdio',
    'slurm_scripts',
    'backups/*',
    'network/*',
  ],
];

/** The token that opens the metrics of a server and nothing else. */
export function metricsTokenPath(serverDirectory: string): string {
  return join(serverDirectory, 'metrics-token');
}

/** Where torc itself puts copies of the database of a server directory. */
export function backupFolder(serverDirectory: string): string {
  return join(serverDirectory, 'backups');
}

/** `schema_44_20261129T191500123Z.db`: a copy of a database of schema version 44, made before it was upgraded. */
export function upgradeCopyName(version: number, now: number): string {
  return `schema_${version}_${stamp(now)}.db`;
}

/** The schema version in the name of such a copy; null for any other file. */
export function upgradeCopyVersion(name: string): number | null {
  const match = /^schema_(\d{1,6})_\d{8}T\d{9}Z\.db$/.exec(name);
  return match === null ? null : Number(match[1]);
}

/** `replaced_20261129T191500123Z.db`: a database that a restored backup has replaced. */
export function replacedName(now: number): string {
  return `replaced_${stamp(now)}.db`;
}

/** When such a database was replaced; null for any other file. */
export function replacedAt(name: string): number | null {
  const match = /^replaced_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.db$/.exec(name);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, ms] = match;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  return Number.isNaN(at) ? null : at;
}

function stamp(now: number): string {
  return isoInstant(now).replaceAll(/[-:.]/g, '');
}

/** Where workers that reach no address of the server say so, and the server says which relays lead to it. */
export function networkFolder(serverDirectory: string): string {
  return join(serverDirectory, 'network');
}

/** The file that says where the relay of an allocation listens. */
export function relayPath(serverDirectory: string, slurmJobId: string): string {
  return join(networkFolder(serverDirectory), `relay_${slurmJobId}.json`);
}

/** The file in which a worker says that it reaches no address of the server. */
export function unreachedPath(serverDirectory: string, hostname: string, pid: number): string {
  return join(networkFolder(serverDirectory), `worker_${hostname}_${pid}.json`);
}

export interface WorkerPaths {
  directory: string;
  /** Reports that the server has not acknowledged. */
  spoolPath: string;
  /** Written by the server: a worker that cannot reach it and finds this file stops its jobs and ends. */
  stopPath: string;
}

/** The files through which one worker and the server speak when they cannot reach each other. */
export function workerPaths(serverDirectory: string, workerId: string): WorkerPaths {
  const directory = join(serverDirectory, 'workers', workerId);
  return { directory, spoolPath: join(directory, 'spool'), stopPath: join(directory, 'stop') };
}

/** Stands in for the output directory of one worker where others could exchange what jobs write for it. */
export function privateDataDirectory(serverDirectory: string, workerId: string): string {
  return join(serverDirectory, 'job_data', workerId);
}

/** Where jobs of one worker leave how they ended that run as steps of a Slurm allocation. */
export function stepsDirectory(serverDirectory: string, workerId: string): string {
  return join(serverDirectory, 'job_steps', workerId);
}

/** The settings of the mail server, which a person writes. */
export function smtpPath(serverDirectory: string): string {
  return join(serverDirectory, 'smtp.json');
}

/** Where the output of a command that sends a message goes. */
export function notificationOutputPath(serverDirectory: string, messageKey: number): string {
  return join(serverDirectory, 'notifications', `${messageKey}.out`);
}

/** Where the output of the commands of an action goes, one file for each time that it fired. */
export function actionOutputPath(serverDirectory: string, firingKey: number): string {
  return join(serverDirectory, 'actions', `${firingKey}.out`);
}
