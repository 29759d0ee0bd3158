/** The fields that requests are made of, and the sizes at which requests are refused or split. */
import { z } from 'zod';

/** Raised when an old worker could misunderstand a new server; another protocol is refused. */
export const protocolVersion = 1;

/** Sizes at which requests are refused or split. All limits of the protocol stand here. */
export const limits = {
  bodyBytes: 16 * 1024 * 1024,
  /** Of a refused request's body, so that its sender sees the answer. */
  discardedBytes: 1024 * 1024,
  listPage: 10_000,
  /** A plan is made anew for each page of it. */
  planPage: 100_000,
  createChunk: 5_000,
  nodesOfWorker: 100_000,
  longPollSeconds: 25,
  parkedRequests: 10_000,
} as const;

export const key = z.string().regex(/^[1-9][0-9]{0,15}$/, 'a key is a positive whole number');
export const count = z.number().int().nonnegative();
export const age = z.number().nonnegative();
export const text = z.string().refine((s) => !s.includes('\0'), 'must not contain a NUL byte');
export const name = text.min(1).max(4096);
