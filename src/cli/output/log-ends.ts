/** The ends of the outputs of failed jobs: only the last bytes are read. */
import type { Api, FailedOutput, Reply } from '../../api/contract.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { readEnd } from '../../base/trusted/shared-async.ts';
import { AttemptOutput, isAbsence, type Stream } from './attempt-output.ts';

/**
 * Where files are in memory or on a local disk, reading one after the other takes a sixth of the processor time. A file
 * system that is slower than this for each job is asked for several files at the same time.
 */
const slowMs = 0.5;
/** The first reads may be slow. */
const firstMs = 50;
const concurrentReads = 16;
/** Jobs of which the outputs are held at a time. */
const someJobs = 1000;
/** Each page looks at all failed jobs; the rows of a larger one live so long that the garbage collector copies them. */
const jobsPerPage = 2500;

/** The end of what the newest attempt of a job wrote. */
export interface LogEnds {
  shown: FailedOutput;
  stdout: Buffer;
  stderr: Buffer;
  /** Why there is nothing to read; null when it was read. */
  unread: string | null;
}

/** The failed jobs of a workflow, at most this many, some at a time. */
export async function* failedOutputs(api: Api, workflow_key: string, most: number): AsyncGenerator<FailedOutput[]> {
  let after: string | null = null;
  for (let left = most; left > 0; ) {
    const limit = Math.min(left, jobsPerPage);
    const { jobs, more }: Reply<'failed_outputs'> = await api.call('failed_outputs', { workflow_key, after, limit });
    for (let at = 0; at < jobs.length; at += someJobs) yield jobs.slice(at, at + someJobs);
    left -= jobs.length;
    after = jobs.at(-1)?.job_key ?? null;
    if (!more || after === null) return;
  }
}

/**
 * The ends of these outputs in their order, at most `mostBytes` of each stream. `skipsStdout`: whether stdout is of no
 * interest, by what stderr says.
 */
export async function readEnds(
  jobs: readonly FailedOutput[],
  mostBytes: number,
  skipsStdout: (stderr: string) => boolean = () => false,
): Promise<LogEnds[]> {
  const found: LogEnds[] = [];
  const places: OutputPlace[] = [];
  for (const [at, shown] of jobs.entries()) {
    if (shown.attempt === null) {
      found[at] = nothingOf(shown, 'it has not started');
      continue;
    }
    const output = new AttemptOutput(shown.attempt);
    const { whyNothing } = output;
    if (whyNothing === null) places.push({ at, shown, output });
    else found[at] = nothingOf(shown, whyNothing);
  }
  let next = 0;
  const readNext = async (end: ReadEnd): Promise<void> => {
    const place = places[next++] as OutputPlace;
    found[place.at] = await readOne(place, (output, stream) => end(output, stream, mostBytes), skipsStdout);
  };
  const begin = performance.now();
  while (next < places.length && performance.now() - begin < firstMs + next * slowMs) await readNext(endNow);
  const work = async (): Promise<void> => {
    while (next < places.length) await readNext(endLater);
  };
  await Promise.all(Array.from({ length: concurrentReads }, work));
  return found;
}

/** An output that may be there; `at` numbers the job. */
interface OutputPlace {
  at: number;
  shown: FailedOutput;
  output: AttemptOutput;
}

/** The end of one stream; null when its file is not there. */
type ReadEnd = (output: AttemptOutput, stream: Stream, mostBytes: number) => Promise<Buffer | null>;

async function readOne(
  { shown, output }: OutputPlace,
  end: (output: AttemptOutput, stream: Stream) => Promise<Buffer | null>,
  skipsStdout: (stderr: string) => boolean,
): Promise<LogEnds> {
  try {
    const stderr = await end(output, 'stderr');
    const skips = stderr !== null && skipsStdout(stderr.toString('utf8'));
    const stdout = skips ? empty : await end(output, 'stdout');
    const unread = stdout === null && stderr === null ? output.missing('stderr').replace(/^no stderr: /, '') : null;
    return { shown, stdout: stdout ?? empty, stderr: stderr ?? empty, unread };
  } catch (error) {
    if (!(error instanceof TorcError)) throw error;
    return nothingOf(shown, error.message);
  }
}

/** Each holds memory of its own outside of the heap. */
const empty = Buffer.alloc(0);

function nothingOf(shown: FailedOutput, unread: string): LogEnds {
  return { shown, stdout: empty, stderr: empty, unread };
}

const endNow: ReadEnd = async (output, stream, mostBytes) => output.endNow(stream, mostBytes);

const endLater: ReadEnd = async (output, stream, mostBytes) => {
  const { log_kind: kind, [`${stream}_path` as const]: path } = output.attempt;
  // a part of a combined log is unpacked as a whole
  if (kind === 'empty' || kind === 'combined') return output.endNow(stream, mostBytes);
  if (typeof path !== 'string') return null;
  try {
    return await readEnd(path, mostBytes);
  } catch (error) {
    if (isAbsence(error)) return null;
    throw new TorcError('not_found', `cannot read ${path}: ${systemCode(error)}`, null, { cause: error });
  }
};
