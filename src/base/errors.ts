/**
 * The one error class of torc: a code for programs, a sentence for people, a hint that says what to type next.
 * Expected outcomes are values; only what stops a command is thrown.
 */

import { constants } from 'node:os';

/** Every error code and the exit code the CLI ends with. The numbers are a documented contract. */
export const exitCodes = {
  jobs_failed: 1,
  usage: 2,
  invalid_spec: 2,
  not_found: 3,
  conflict: 4,
  unreachable: 5,
  unauthorized: 5,
  busy: 5,
  no_space: 5,
  unusable: 5,
  incompatible: 5,
  other_database: 5,
  slurm: 6,
  already_complete: 7,
  timeout: 8,
  bug: 70,
  interrupted: 130,
} as const;

export type ErrorCode = keyof typeof exitCodes;

export class TorcError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, hint: string | null = null, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TorcError';
    this.code = code;
    this.hint = hint;
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/** Any thrown value as a TorcError: anything else is a bug in torc. */
export function asTorcError(error: unknown): TorcError {
  if (error instanceof TorcError) return error;
  return new TorcError('bug', messageOf(error), 'This is a bug in torc; please report it with the command you typed.', {
    cause: error,
  });
}

/** The codes of what node has no name for although the system has one: a quota that is used up, a stale NFS file. */
const isUnnamed = /^(UNKNOWN|Unknown system error -\d+)$/;

/** The system's error code (ENOENT, EADDRINUSE, SQLITE_BUSY ..) of a thrown value, or null. */
export function systemCode(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  if (typeof error.code !== 'string') return null;
  return isUnnamed.test(error.code) ? (unnamedCode(error) ?? error.code) : error.code;
}

function unnamedCode(error: object): string | null {
  const number = 'errno' in error && typeof error.errno === 'number' ? -error.errno : null;
  return Object.entries(constants.errno).find(([, each]) => each === number)?.[0] ?? null;
}

const wordsOfUnnamed: Readonly<Record<string, string>> = {
  EDQUOT: 'disk quota exceeded',
  ESTALE: 'stale file handle',
};

/** The message of a thrown value, with the name of a system's error that node calls unknown. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = systemCode(error);
  if (code === null) return message;
  return message.replace(
    /^(UNKNOWN: unknown error|Unknown system error -\d+: Unknown system error -\d+)/,
    `${code}: ${wordsOfUnnamed[code] ?? 'error of the system'}`,
  );
}
