/** Whether a declared file is still what a job's result was made from. */

/**
 * What is known about a file at some instant. Times in microseconds; they are compared only with those of the same
 * file.
 */
export interface FileFacts {
  /** -1 when it does not exist; null when it was not checked. */
  sizeBytes: number | null;
  modifiedUs: number | null;
  /** When anything about it last changed, which no program can set back. */
  changedUs: number | null;
  /** SHA-256 of the content where it was read. */
  contentHash: string | null;
}

export const absentFile: FileFacts = { sizeBytes: -1, modifiedUs: null, changedUs: null, contentHash: null };

/** An instant of a file as it is stored and compared; null for one that is not exact as a number (after 2255). */
export function fileMicroseconds(nanoseconds: bigint): number | null {
  const value = Number(nanoseconds / 1000n);
  return Number.isSafeInteger(value) ? value : null;
}

/**
 * What differs between then and now, in words, or null. Size and modification time decide; where both are the same, the
 * content does, if it was read both times: a program can set the time back. A file that was not checked has not
 * changed.
 */
export function fileChange(before: FileFacts, now: FileFacts): string | null {
  if (before.sizeBytes === null || now.sizeBytes === null) return null;
  if (before.sizeBytes === -1) return now.sizeBytes === -1 ? null : 'has appeared';
  if (now.sizeBytes === -1) return 'is missing';
  if (before.sizeBytes !== now.sizeBytes) return 'has a different size';
  if (before.modifiedUs !== now.modifiedUs) return 'was modified';
  if (before.contentHash === null || now.contentHash === null) return null;
  return before.contentHash === now.contentHash ? null : 'has different content';
}

/** Whether only the content can tell: only the time of the last change of any kind differs. */
export function needsContent(before: FileFacts, now: FileFacts): boolean {
  return (
    before.contentHash !== null &&
    before.sizeBytes === now.sizeBytes &&
    before.modifiedUs === now.modifiedUs &&
    before.changedUs !== now.changedUs
  );
}
