/** The four ways to serve a request: a read, a write, a write after a look outside of the database, many writes. */
import type { EndpointName, Reply, Request } from '../../api/contract.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { ServerContext } from '../context.ts';

export interface ReadHandler<N extends EndpointName> {
  kind: 'read';
  /** One that waits for a change gives up when the signal fires: nobody wants the reply any more. */
  run: (context: ServerContext, request: Request<N>, signal?: AbortSignal) => Reply<N> | Promise<Reply<N>>;
}

/** Runs in the next transaction, together with others. */
export interface WriteHandler<N extends EndpointName> {
  kind: 'write';
  run: (tx: Transaction, request: Request<N>, context: ServerContext) => Reply<N>;
}

/** A write that first looks at something outside of the database, without holding up others. */
export interface PreparedHandler<N extends EndpointName> {
  kind: 'prepared';
  /** Looks, and returns the write that follows from what it saw. */
  prepare: (context: ServerContext, request: Request<N>) => Promise<(tx: Transaction) => Reply<N>>;
}

/** Work that is cut into several transactions, so that others are served in between. */
export interface StepHandler<N extends EndpointName> {
  kind: 'steps';
  /** Looks outside of the database first; throws to refuse. */
  check?: (context: ServerContext, request: Request<N>) => Promise<void>;
  begin: (tx: Transaction, request: Request<N>) => Steps<N>;
}

/** `step` is repeated until it returns true, each time in a transaction of its own; null when nothing is left to do. */
export interface Steps<N extends EndpointName> {
  step: ((tx: Transaction) => boolean) | null;
  reply: Reply<N>;
}

export type Handler<N extends EndpointName> = ReadHandler<N> | WriteHandler<N> | PreparedHandler<N> | StepHandler<N>;
