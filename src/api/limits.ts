/** The protocol's version, and the sizes at which requests are refused or split; loads no schemas. */

/** Raised when an old worker could misunderstand a new server; another protocol is refused. */
export const protocolVersion = 1;

/** Sizes at which requests are refused or split. All limits of the protocol are here. */
export const limits = {
  bodyBytes: 16 * 1024 * 1024,
  /** Of a refused request's body, so that its sender sees the answer. */
  discardedBytes: 1024 * 1024,
  listPage: 10_000,
  /** Jobs whose outputs are told at once. */
  outputsPage: 1_000,
  /** A plan is computed again for each of its pages. */
  planPage: 100_000,
  createChunk: 5_000,
  /** Jobs that a running job adds at once. */
  children: 20_000,
  nodesOfWorker: 100_000,
  longPollSeconds: 25,
  /** Streams of events at once: each viewer has one. */
  eventStreams: 64,
  /** The shortest time between two messages of a stream. */
  eventBatchMs: 1_000,
  /** A stream on which nothing happens says that it lives. */
  eventHeartbeatMs: 15_000,
  /** Workflows of one reply about how they stand. */
  statusLines: 200,
  /** Of one reply about when attempts ran, and about how busy nodes were. */
  timelineWorkers: 1_000,
  timelineAllocations: 1_000,
  timelineSpans: 20_000,
  timelineBins: 1_000,
  parkedRequests: 10_000,
  /** Requests that wait for a transaction; more are answered 503 before they are read. */
  queuedRequests: 5_000,
  /** Of all request bodies together. */
  heldBytes: 256 * 1024 * 1024,
  headerBytes: 8 * 1024,
  /** For the TLS handshake, and then for the header of a request. */
  headerMs: 10_000,
  /** For a request with its body. */
  requestMs: 60_000,
  /** For a client to read the next piece of its reply; up to twice as long when it has read some. */
  unreadReplyMs: 30_000,
  connections: 20_000,
  /** Connections that have not shown the token. */
  unauthenticatedConnections: 2_000,
} as const;
