/** What an attempt used over time, from the file that its worker writes, in few points. */
import { closeSync, readSync } from 'node:fs';
import type { Api } from '../../api/contract.ts';
import type { AttemptRequest, Series } from '../../api/dash.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { openRegularFile } from '../../base/trusted/shared.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';

const mostPoints = 600;
const pieceBytes = 1024 * 1024;
/** A row each second for two weeks; what comes later is left out, and said so. */
const mostBytes = 48 * pieceBytes;

/** Throws TorcError 'not_found' for an attempt that does not exist. */
export async function readSeries(api: Api, { job_key, run_id, attempt_id }: AttemptRequest): Promise<Series> {
  const { attempts } = await api.call('job_show', { job_key });
  const attempt = attempts.find((each) => each.run_id === run_id && each.attempt_id === attempt_id);
  if (attempt === undefined) {
    throw new TorcError('not_found', `job ${job_key} has no attempt ${attempt_id} in run ${run_id}`);
  }
  const { time_series_path: path, hostname } = attempt;
  if (path === null) return nothing('The workflow records no time series: its specification has no resource_monitor.');
  const found = readSamples(path);
  if (found === null) return nothing(`${path} is not on this host; it was written on ${hostname ?? 'another one'}.`);
  const { samples, isWhole } = found;
  const [lastSeconds] = samples.at(-1) ?? [];
  if (lastSeconds === undefined) return nothing('Nothing was recorded yet.');
  const end = formatDuration(Math.round(lastSeconds));
  const left_out = isWhole
    ? null
    : `The table is larger than ${formatMemory(mostBytes)}: rows after ${end} are left out.`;
  return { ...inPieces(samples), missing: null, left_out };
}

function nothing(missing: string): Series {
  return { seconds: [], memory_bytes: [], cpus: [], missing, left_out: null };
}

type Sample = readonly [seconds: number, memoryBytes: number, cpuSeconds: number];

/** Null where there is no such file. */
function readSamples(path: string): { samples: Sample[]; isWhole: boolean } | null {
  let file: number;
  let size: number;
  try {
    ({ file, size } = openRegularFile(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null;
    throw new TorcError('not_found', `cannot read ${path}: ${systemCode(error)}`, null, { cause: error });
  }
  const samples: Sample[] = [];
  try {
    const piece = Buffer.alloc(pieceBytes);
    let rest = '';
    for (let read = 0; read < mostBytes; ) {
      const length = readSync(file, piece, 0, pieceBytes, read);
      if (length === 0) break;
      read += length;
      const lines = (rest + piece.toString('latin1', 0, length)).split('\n');
      // a row that is still being written is left out
      rest = lines.pop() ?? '';
      for (const line of lines) addSample(samples, line);
    }
  } finally {
    closeSync(file);
  }
  return { samples, isWhole: size <= mostBytes };
}

function addSample(samples: Sample[], line: string): void {
  const [seconds = Number.NaN, memory = Number.NaN, cpu = Number.NaN, ...others] = line.split(',').map(Number);
  const [last = -1] = samples.at(-1) ?? [];
  if (others.length === 0 && Number.isFinite(seconds + memory + cpu) && seconds > last)
    samples.push([seconds, memory, cpu]);
}

/** Samples in pieces of equal numbers: the most memory of each, and how busy it was since the end of the one before. */
export function inPieces(samples: readonly Sample[]): Omit<Series, 'missing' | 'left_out'> {
  const size = Math.ceil(samples.length / mostPoints);
  const seconds: number[] = [];
  const memory_bytes: number[] = [];
  const cpus: number[] = [];
  let before: Sample = [0, 0, 0];
  for (let at = 0; at < samples.length; at += size) {
    const piece = samples.slice(at, at + size);
    const last = piece.at(-1) ?? before;
    const [length, busy] = [last[0] - before[0], last[2] - before[2]];
    seconds.push(last[0]);
    memory_bytes.push(piece.reduce((most, [, bytes]) => Math.max(most, bytes), 0));
    // processes that have ended since take their time with them
    cpus.push(length > 0 ? Math.max(0, Math.round((busy / length) * 1000) / 1000) : 0);
    before = last;
  }
  return { seconds, memory_bytes, cpus };
}
