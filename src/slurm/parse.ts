/**
 * Parses the output of squeue, sacct, scontrol and sinfo into records. The parsers never throw: an unreadable line is
 * counted and left out, so that one odd job cannot hide the others. The formats are those that commands.ts requests.
 */
import {
  type ExitStatus,
  parseCount,
  parseDuration,
  parseExitStatus,
  parseInstant,
  parseJobId,
  parseSize,
  presentText,
} from './fields.ts';
import { parseState, type SlurmState } from './states.ts';

export interface Parsed<T> {
  records: T[];
  /** Lines that were neither empty nor readable. */
  numUnparsed: number;
}

/** A job that slurmctld remembers: waiting, running, or ended within its MinJobAge. Instants in milliseconds. */
export interface QueuedJob {
  slurmJobId: string;
  /** Task of a job array, as Slurm prints it; null outside of one. */
  arrayTask: string | null;
  name: string;
  state: SlurmState;
  /** Slurm's own word for why it waits or has ended, or null. */
  reason: string | null;
  restartCount: number;
  submitTimeMs: number | null;
  startTimeMs: number | null;
  endTimeMs: number | null;
  /** Null when unlimited. */
  timeLimitSeconds: number | null;
  numNodes: number | null;
  nodeList: string | null;
  partition: string | null;
}

/** One line of accounting: a job (`step` is null) or one of its steps. A requeued job has a line for each start. */
export interface AccountedJob {
  slurmJobId: string;
  arrayTask: string | null;
  step: string | null;
  cluster: string | null;
  name: string;
  state: SlurmState;
  exit: ExitStatus | null;
  /** The highest exit status of the steps started with srun. */
  derivedExit: ExitStatus | null;
  submitTimeMs: number | null;
  startTimeMs: number | null;
  endTimeMs: number | null;
  timeLimitSeconds: number | null;
  numNodes: number | null;
  nodeList: string | null;
  requestedMemory: string | null;
  /** Sampled once a second, so it does not show whether memory ran out. */
  maxRssBytes: number | null;
  reason: string | null;
}

/** A job as scontrol shows it. */
export interface ShownJob extends QueuedJob {
  exit: ExitStatus | null;
  batchHost: string | null;
  /** Every field under Slurm's own name. */
  fields: ReadonlyMap<string, string>;
}

/** Nodes of one kind and state within a partition. */
export interface PartitionNodes {
  partition: string;
  isDefault: boolean;
  isUp: boolean;
  /** Null when unlimited. */
  maxTimeSeconds: number | null;
  numNodes: number;
  cpusPerNode: number;
  memoryBytesPerNode: number;
  gres: string | null;
  /** Slurm's word for the nodes' state, such as `idle` or `mixed`. */
  nodeState: string;
  nodeList: string | null;
}

const separator = '|';

/** The fields requested from squeue. The name is last because it may contain the separator. */
export const squeueFields = [
  'JobID',
  'JobArrayID',
  'State',
  'RestartCnt',
  'SubmitTime',
  'StartTime',
  'EndTime',
  'TimeLimit',
  'Reason',
  'NumNodes',
  'NodeList',
  'Partition',
  'Name',
] as const;

/** For `squeue --Format`: each field ends with a separator and has no width, so that nothing is cut. */
export const squeueFormat = squeueFields.map((field) => `${field}:${separator}`).join(',');

/** The fields requested from sacct; JobIDRaw names each array task by its own id. */
export const sacctFields = [
  'JobIDRaw',
  'JobID',
  'Cluster',
  'State',
  'ExitCode',
  'DerivedExitCode',
  'Submit',
  'Start',
  'End',
  'Timelimit',
  'NNodes',
  'NodeList',
  'ReqMem',
  'MaxRSS',
  'Reason',
  'JobName',
] as const;
export const sacctFormat = sacctFields.join(',');

/** For `sinfo --format`: partition, availability, time limit, nodes, cpus, memory, state, gres, node names. */
export const sinfoFormat = ['%P', '%a', '%l', '%D', '%c', '%m', '%T', '%G', '%N'].join(separator);

/** Splits into `count` fields, the last of which keeps its separators; null when there are fewer. */
function splitFields(line: string, count: number): string[] | null {
  const parts = line.split(separator);
  if (parts.length < count) return null;
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)];
}

function parseLines<T>(text: string, parseLine: (line: string) => T | null): Parsed<T> {
  const records: T[] = [];
  let numUnparsed = 0;
  for (const line of text.split('\n')) {
    // printed before the rows when SLURM_CLUSTERS names the cluster
    if (line.trim() === '' || /^CLUSTER: \S+\s*$/.test(line)) continue;
    const record = parseLine(line.replace(/\r$/, ''));
    if (record === null) numUnparsed += 1;
    else records.push(record);
  }
  return { records, numUnparsed };
}

/** Output of `squeue --noheader --Format=<squeueFormat>`. */
export function parseSqueue(text: string): Parsed<QueuedJob> {
  return parseLines(text, (line) => {
    const fields = splitFields(line, squeueFields.length);
    const id = parseJobId(fields?.[0]);
    if (fields === null || id === null || presentText(fields[2]) === null) return null;
    return {
      slurmJobId: id.jobId,
      arrayTask: parseJobId(fields[1])?.arrayTask ?? null,
      name: (fields[12] ?? '').replace(/\|$/, ''),
      state: parseState(fields[2] ?? ''),
      restartCount: parseCount(fields[3]) ?? 0,
      submitTimeMs: parseInstant(fields[4]),
      startTimeMs: parseInstant(fields[5]),
      endTimeMs: parseInstant(fields[6]),
      timeLimitSeconds: parseDuration(fields[7]),
      reason: presentText(fields[8]),
      numNodes: parseCount(fields[9]),
      nodeList: presentText(fields[10]),
      partition: presentText(fields[11]),
    };
  });
}

/** Output of `sacct --parsable2 --noheader --format=<sacctFormat>`. */
export function parseSacct(text: string): Parsed<AccountedJob> {
  return parseLines(text, (line) => {
    const fields = splitFields(line, sacctFields.length);
    const id = parseJobId(fields?.[0]);
    if (fields === null || id === null || presentText(fields[3]) === null) return null;
    return {
      slurmJobId: id.jobId,
      arrayTask: parseJobId(fields[1])?.arrayTask ?? null,
      step: id.step,
      cluster: presentText(fields[2]),
      state: parseState(fields[3] ?? ''),
      exit: parseExitStatus(fields[4]),
      derivedExit: parseExitStatus(fields[5]),
      submitTimeMs: parseInstant(fields[6]),
      startTimeMs: parseInstant(fields[7]),
      endTimeMs: parseInstant(fields[8]),
      timeLimitSeconds: parseDuration(fields[9]),
      numNodes: parseCount(fields[10]),
      nodeList: presentText(fields[11]),
      requestedMemory: presentText(fields[12]),
      maxRssBytes: parseSize(fields[13]),
      reason: presentText(fields[14]),
      name: fields[15] ?? '',
    };
  });
}

/** Output of `sinfo --noheader --exact --format=<sinfoFormat>`. */
export function parseSinfo(text: string): Parsed<PartitionNodes> {
  return parseLines(text, (line) => {
    const fields = splitFields(line, 9);
    const partition = presentText(fields?.[0]);
    const [numNodes, cpusPerNode, memoryMebibytes] = [3, 4, 5].map((index) => parseCount(fields?.[index]));
    if (fields === null || partition === null || typeof numNodes !== 'number') return null;
    if (typeof cpusPerNode !== 'number' || typeof memoryMebibytes !== 'number') return null;
    return {
      partition: partition.replace(/\*$/, ''),
      isDefault: partition.endsWith('*'),
      isUp: fields[1]?.trim() === 'up',
      maxTimeSeconds: parseDuration(fields[2]),
      numNodes,
      cpusPerNode,
      memoryBytesPerNode: memoryMebibytes * 1024 * 1024,
      nodeState: fields[6]?.trim() ?? '',
      gres: presentText(fields[7]),
      nodeList: presentText(fields[8]),
    };
  });
}
