/**
 * The format of combined logs: a gzip member for each attempt that wrote something, one after the other. A member
 * holds a line that names the attempt and says how much follows, then its stdout, then its stderr. So each can be read
 * alone, and `zcat` reads all of them.
 */
import { gunzipSync } from 'node:zlib';
import type { AttemptName } from './paths.ts';

/** What an attempt wrote in all; more than this is never in a combined log. */
export const largestOutputBytes = 64 * 1024 * 1024;

/** A cautious reader stops there. */
const largestHeaderBytes = 1024;

export function logHeader({ jobKey, runId, attemptId }: AttemptName, stdoutBytes: number, stderrBytes: number): Buffer {
  const which = `job ${jobKey} run ${runId} attempt ${attemptId}`;
  return Buffer.from(`torc log: ${which}, stdout ${stdoutBytes} bytes, stderr ${stderrBytes} bytes\n`);
}

const headerPattern = /^torc log: job (\d+) run (\d+) attempt (\d+), stdout (\d+) bytes, stderr (\d+) bytes\n/;

/**
 * What the attempt wrote, from its member; null when this is not a member of a combined log, or that of another
 * attempt.
 */
export function readLogMember(member: Uint8Array, name: AttemptName): { stdout: Buffer; stderr: Buffer } | null {
  const text = unpacked(member);
  if (text === null) return null;
  const match = headerPattern.exec(text.toString('latin1', 0, largestHeaderBytes));
  if (match === null) return null;
  const [header, jobKey, runId, attemptId, stdoutBytes, stderrBytes] = match;
  const isOf = jobKey === name.jobKey && Number(runId) === name.runId && Number(attemptId) === name.attemptId;
  const split = header.length + Number(stdoutBytes);
  if (!isOf || text.length !== split + Number(stderrBytes)) return null;
  return { stdout: text.subarray(header.length, split), stderr: text.subarray(split) };
}

function unpacked(member: Uint8Array): Buffer | null {
  try {
    return gunzipSync(member, { maxOutputLength: largestOutputBytes + largestHeaderBytes });
  } catch {
    return null;
  }
}
