/**
 * The spool: reports of a worker that the server has not acknowledged, on disk. One line a record:
 * `torc1 LENGTH CHECKSUM JSON`, where LENGTH counts the bytes of JSON and CHECKSUM is the start of its SHA-256.
 * A line that a crash cut off or that is damaged is counted and skipped; the others are valid.
 */

import { createHash } from 'node:crypto';
import { jsonText, parseMessage } from '../base/exact-json.ts';
import { readPrivateFile } from '../base/trusted/private.ts';
import type { Request } from './contract.ts';

export type FinishedReport = Request<'exchange'>['finished'][number];

export interface SpooledReport {
  worker_id: string;
  attempt: number;
  /** Null when no process was ever started: the attempt is handed back. */
  finished: Omit<FinishedReport, 'attempt' | 'start_age_ms' | 'age_ms'> | null;
  /** Milliseconds since 1970 on the server's clock, as the worker knew it; null when no process was ever started. */
  started_at_ms: number | null;
  ended_at_ms: number;
}

export interface Spool {
  reports: SpooledReport[];
  numDamaged: number;
}

const magic = 'torc1';

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, 16);
}

/** One report as a line of the spool, its line break included. */
export function spoolLine(report: SpooledReport): string {
  const json = jsonText(report);
  return `${magic} ${Buffer.byteLength(json)} ${checksum(json)} ${json}\n`;
}

function parseLine(line: string): SpooledReport | null {
  const match = /^torc1 (\d+) ([0-9a-f]{16}) (.*)$/s.exec(line);
  if (match === null) return null;
  const [, length, sum, json] = match;
  if (json === undefined || Buffer.byteLength(json) !== Number(length) || checksum(json) !== sum) return null;
  return parseMessage(json) as SpooledReport;
}

/** The reports of a spool's text, in the order in which they were written. */
export function parseSpool(text: string): Spool {
  const spool: Spool = { reports: [], numDamaged: 0 };
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const report = parseLine(line);
    if (report === null) spool.numDamaged += 1;
    else spool.reports.push(report);
  }
  return spool;
}

/** Reads a spool file; a missing one is an empty one. Throws the system's error, or TorcError for one that is not ours. */
export function readSpool(path: string): Spool {
  return parseSpool(readPrivateFile(path) ?? '');
}
