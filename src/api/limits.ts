/** The protocol's version, and the sizes at which requests are refused or split; loads no schemas. */

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
