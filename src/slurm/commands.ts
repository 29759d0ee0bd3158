/**
 * Slurm's commands as functions. Queries return their failures, because a failed query is not an empty answer: the
 * caller decides what not knowing means. Submitting throws, because nothing can continue without it.
 */
import { type Environment, environment } from '../base/config.ts';
import { failure, isHarmless, type SlurmAnswer } from './answers.ts';
import {
  type AccountedJob,
  type Parsed,
  type PartitionNodes,
  parseSacct,
  parseSinfo,
  parseSqueue,
  type QueuedJob,
  type ShownJob,
  sacctFormat,
  sinfoFormat,
  squeueFormat,
} from './parse.ts';
import { ownWords, submittedId } from './replies.ts';
import { type RunCommand, type RunResult, runCommand } from './run.ts';
import { parseScontrolJobs } from './scontrol.ts';
import { clusterNameIn, hasPartitionQos, type ParsedSite, parseSite } from './site.ts';
import { isSlurmAway, type StartEstimate, startEstimateIn } from './start-estimate.ts';
import { mayHaveSubmitted, submitError } from './submit-errors.ts';
import { queryVariables, submitVariables } from './variables.ts';

export interface Submission {
  slurmJobId: string;
  /** Only when sbatch names it, which it does with several clusters. */
  cluster: string | null;
  /** Warnings of sbatch and of the site's submit filters, or null. */
  notice: string | null;
}

export interface SubmitOptions {
  /** The script's --job-name, which identifies the submission when sbatch's reply is lost. */
  jobName: string;
  /** The directory that the allocation starts in; the caller's by default. */
  workingDirectory?: string;
}

export interface QueueQuestion {
  ids?: readonly string[];
  names?: readonly string[];
}

export interface SlurmCommands {
  /** Submits the text of a script. Throws TorcError `slurm` with sbatch's own words; see `isOutcomeUnknown`. */
  sbatch(script: string, options: SubmitOptions): Promise<Submission>;
  /**
   * Jobs with these ids and jobs of this user with exactly these names, in one query, as far as slurmctld remembers
   * them. That includes jobs that ended recently; a missing job ended earlier or never existed.
   */
  squeue(which: QueueQuestion): Promise<SlurmAnswer<Parsed<QueuedJob>>>;
  /** Jobs and steps among these ids that accounting knows, submitted since then, with every start of requeued jobs. */
  sacct(ids: readonly string[], sinceMs: number): Promise<SlurmAnswer<Parsed<AccountedJob>>>;
  /** Cancels; ids that are unknown or have already ended do not count as a failure. */
  scancel(ids: readonly string[], which?: { onlyPending?: boolean }): Promise<SlurmAnswer<null>>;
  /** Null only when slurmctld says that it does not know the id. For one job at a time. */
  scontrolShowJob(id: string): Promise<SlurmAnswer<ShownJob | null>>;
  sinfo(): Promise<SlurmAnswer<Parsed<PartitionNodes>>>;
}

/** Questions about the cluster, for planning. */
export interface SiteQueries {
  /** What the cluster offers, by three queries. */
  site(): Promise<SlurmAnswer<ParsedSite>>;
  /** The name of the cluster, by one query; null when it does not say it. */
  clusterName(): Promise<SlurmAnswer<string | null>>;
  /** When Slurm could start an allocation of this script now, by sbatch --test-only, which submits nothing. */
  startEstimate(script: string): Promise<SlurmAnswer<StartEstimate>>;
}

/** Time limits of Slurm's commands, in seconds. slurmctld's own timeouts are shorter. */
export const qosWords = ['--parsable2', '--noheader', 'show', 'qos', 'format=Name,MaxWall'];
const commandTimeLimits = { submit: 180, query: 100 } as const;

/** Ids on one command line. */
const idsPerCall = 5000;

/** Words with which Slurm says that it does not know a job, or that there is nothing left to cancel. */
const unknownId = /Invalid job id/i;
const nothingToCancel = /Invalid job id|already completing/i;

class SystemSlurm implements SlurmCommands, SiteQueries {
  private readonly env: Environment;
  private readonly run: RunCommand;

  constructor(env: Environment, run: RunCommand) {
    this.env = env;
    this.run = run;
  }

  async sbatch(script: string, options: SubmitOptions): Promise<Submission> {
    // on standard input: what lies in a file may be another script when sbatch reads it
    const result = await this.run('sbatch', ['--parsable'], {
      variables: submitVariables(this.env, script),
      input: script,
      seconds: commandTimeLimits.submit,
      workingDirectory: options.workingDirectory ?? null,
    });
    const notice = result.kind === 'ended' ? ownWords(result.stderr) : null;
    const submitted = result.kind === 'ended' && result.exitCode === 0 ? submittedId(result.stdout) : null;
    if (submitted !== null) return { ...submitted, notice };
    const found = mayHaveSubmitted(result) ? await this.findByName(options.jobName) : null;
    if (found !== null) return { slurmJobId: found, cluster: null, notice };
    throw submitError(result, options.jobName);
  }

  /** The id of the one job with this name, or null when there is none, more than one, or no answer. */
  private async findByName(jobName: string): Promise<string | null> {
    const answer = await this.squeue({ names: [jobName] });
    const ids = answer.kind === 'ok' ? answer.value.records.map((job) => job.slurmJobId) : [];
    return ids.length === 1 ? (ids[0] ?? null) : null;
  }

  async squeue({ ids = [], names = [] }: QueueQuestion): Promise<SlurmAnswer<Parsed<QueuedJob>>> {
    const format = ['--noheader', '--states=all', `--Format=${squeueFormat}`];
    const hasId = new Set(ids);
    if (names.length === 0) {
      return this.inParts(ids, async (part) => {
        const answer = await this.ask('squeue', [...format, `--jobs=${part.join(',')}`], unknownId);
        return parsed(answer, parseSqueue, (job) => hasId.has(job.slurmJobId));
      });
    }
    // names may contain commas, where --name would split; the list of all jobs of the user includes both
    const hasName = new Set(names);
    const answer = await this.ask('squeue', [...format, `--user=${process.getuid?.() ?? ''}`]);
    return parsed(answer, parseSqueue, (job) => hasId.has(job.slurmJobId) || hasName.has(job.name));
  }

  async sacct(ids: readonly string[], sinceMs: number): Promise<SlurmAnswer<Parsed<AccountedJob>>> {
    const since = new Date(Math.max(0, sinceMs)).toISOString().slice(0, 19);
    const format = ['--noheader', '--parsable2', '--duplicates', `--starttime=${since}`, `--format=${sacctFormat}`];
    const isWanted = new Set(ids);
    return this.inParts(ids, async (part) => {
      const answer = await this.ask('sacct', [...format, `--jobs=${part.join(',')}`]);
      return parsed(answer, parseSacct, (job) => isWanted.has(job.slurmJobId));
    });
  }

  async scancel(ids: readonly string[], { onlyPending = false } = {}): Promise<SlurmAnswer<null>> {
    const options = onlyPending ? ['--state=PENDING'] : [];
    for (let first = 0; first < ids.length; first += idsPerCall) {
      const part = ids.slice(first, first + idsPerCall);
      const answer = await this.ask('scancel', [...options, ...part], nothingToCancel);
      if (answer.kind === 'failed') return answer;
    }
    return { kind: 'ok', value: null };
  }

  async scontrolShowJob(id: string): Promise<SlurmAnswer<ShownJob | null>> {
    const result = await this.query('scontrol', ['show', 'job', id]);
    if (result.kind !== 'ended') return failure('scontrol', result);
    if (result.exitCode !== 0) {
      return isHarmless(result.stderr, unknownId) ? { kind: 'ok', value: null } : failure('scontrol', result);
    }
    const job = parseScontrolJobs(result.stdout).records.find(({ slurmJobId }) => slurmJobId === id);
    const nothing = { kind: 'failed', reason: `scontrol succeeded, but did not print job ${id}.`, hint: null } as const;
    return job === undefined ? nothing : { kind: 'ok', value: job };
  }

  async sinfo(): Promise<SlurmAnswer<Parsed<PartitionNodes>>> {
    return parsed(
      await this.ask('sinfo', ['--noheader', '--exact', `--format=${sinfoFormat}`]),
      parseSinfo,
      () => true,
    );
  }

  async site(): Promise<SlurmAnswer<ParsedSite>> {
    const config = await this.ask('scontrol', ['show', 'config']);
    if (config.kind === 'failed') return config;
    const partitions = await this.ask('scontrol', ['--oneliner', 'show', 'partition']);
    if (partitions.kind === 'failed') return partitions;
    const nodes = await this.ask('scontrol', ['--oneliner', 'show', 'node']);
    if (nodes.kind === 'failed') return nodes;
    const qos = hasPartitionQos(partitions.value) ? await this.ask('sacctmgr', qosWords) : null;
    const texts = {
      config: config.value,
      partitions: partitions.value,
      nodes: nodes.value,
      // accounting may be away, or not there: then only the limits of the partitions are known
      qos: qos?.kind === 'ok' ? qos.value : '',
    };
    return { kind: 'ok', value: parseSite(texts) };
  }

  async clusterName(): Promise<SlurmAnswer<string | null>> {
    const config = await this.ask('scontrol', ['show', 'config']);
    if (config.kind === 'failed') return config;
    return { kind: 'ok', value: clusterNameIn(config.value) };
  }

  async startEstimate(script: string): Promise<SlurmAnswer<StartEstimate>> {
    const { LC_ALL = '', TZ = '', SLURM_TIME_FORMAT = '' } = queryVariables(this.env);
    const result = await this.run('sbatch', ['--test-only'], {
      variables: { ...submitVariables(this.env, script), LC_ALL, TZ, SLURM_TIME_FORMAT },
      input: script,
      seconds: commandTimeLimits.query,
      workingDirectory: null,
    });
    const answer = failure(result.kind === 'missing' ? 'sbatch' : 'sbatch --test-only', result);
    if (result.kind !== 'ended' || isSlurmAway(result.stderr)) return answer;
    const said = startEstimateIn(result.stderr);
    // what succeeds refuses nothing, whatever it says
    const isOdd = said?.kind === 'refused' && result.exitCode === 0;
    return { kind: 'ok', value: said === null || isOdd ? { kind: 'unread', reason: answer.reason } : said };
  }

  /** The output of a command. An exit code other than 0 is a failure unless every error line is `harmless`. */
  private async ask(command: string, args: readonly string[], harmless?: RegExp): Promise<SlurmAnswer<string>> {
    const result = await this.query(command, args);
    if (result.kind === 'ended' && (result.exitCode === 0 || isHarmless(result.stderr, harmless))) {
      return { kind: 'ok', value: result.stdout };
    }
    return failure(command, result);
  }

  private query(command: string, args: readonly string[]): Promise<RunResult> {
    const variables = queryVariables(this.env);
    return this.run(command, args, { variables, seconds: commandTimeLimits.query, workingDirectory: null });
  }

  private async inParts<T>(
    ids: readonly string[],
    ask: (part: readonly string[]) => Promise<SlurmAnswer<Parsed<T>>>,
  ): Promise<SlurmAnswer<Parsed<T>>> {
    const whole: Parsed<T> = { records: [], numUnparsed: 0 };
    for (let first = 0; first < ids.length; first += idsPerCall) {
      const answer = await ask(ids.slice(first, first + idsPerCall));
      if (answer.kind === 'failed') return answer;
      for (const record of answer.value.records) whole.records.push(record);
      whole.numUnparsed += answer.value.numUnparsed;
    }
    return { kind: 'ok', value: whole };
  }
}

function parsed<T>(
  answer: SlurmAnswer<string>,
  parse: (text: string) => Parsed<T>,
  isWanted: (record: T) => boolean,
): SlurmAnswer<Parsed<T>> {
  if (answer.kind === 'failed') return answer;
  const { records, numUnparsed } = parse(answer.value);
  return { kind: 'ok', value: { records: records.filter(isWanted), numUnparsed } };
}

/** Slurm's commands on this machine's PATH. */
export function systemSlurm(
  env: Environment = environment(),
  run: RunCommand = runCommand,
): SlurmCommands & SiteQueries {
  return new SystemSlurm(env, run);
}
