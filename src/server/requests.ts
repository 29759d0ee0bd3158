/** Carries out requests: as a read, as a write in the next transaction, as several, or with the reply that was kept. */
import type { CallOptions, EndpointName, Reply, Request } from '../api/contract.ts';
import { needsKey } from '../api/repetition.ts';
import { systemCode, TorcError } from '../base/errors.ts';
import { findReply, keepReply, type RepeatableRequest } from '../storage/database/replies.ts';
import { isIoError, type Transaction } from '../storage/database/transaction.ts';
import type { ServerContext } from './context.ts';
import type { Handler, ReadHandler, StepHandler } from './handlers/kinds.ts';
import { handlerOf } from './handlers/table.ts';

type Keep<N extends EndpointName> = (tx: Transaction, reply: Reply<N>) => Reply<N>;

/** What workers and jobs ask for; everything else is asked for by a person. */
const workersOwn: ReadonlySet<EndpointName> = new Set<EndpointName>(['worker_hello', 'exchange', 'jobs_add_children']);

/** Whether an endpoint only reads. */
export function isRead(endpoint: EndpointName): boolean {
  return endpoint !== 'exchange' && handlerOf(endpoint).kind === 'read';
}

export class Requests {
  readonly #context: ServerContext;
  /** Repeatable requests in progress, by their key. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** Carries out a request; one with a key only once. */
  async call<N extends EndpointName>(endpoint: N, request: Request<N>, options: CallOptions): Promise<Reply<N>> {
    const { idempotencyKey: key, isByServer = false } = options;
    const who = isByServer || workersOwn.has(endpoint) ? null : this.#context.info.user;
    const handler = handlerOf(endpoint);
    if (handler.kind === 'read') return await this.#read(handler, request, options.signal);
    if (key === undefined || !needsKey(endpoint, request)) return await this.#perform(handler, request, who, null);
    const repeatable = { endpoint, idempotencyKey: key };
    const known = this.#underWay.get(key) ?? findReply(this.#context.view, repeatable);
    if (known !== null) return (await known) as Reply<N>;
    const work = this.#perform(handler, request, who, repeatable).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, work);
    return await work;
  }

  /** The reply of a repeatable request is kept by the transaction that completes it. */
  async #perform<N extends EndpointName>(
    handler: Exclude<Handler<N>, ReadHandler<N>>,
    request: Request<N>,
    who: string | null,
    repeatable: RepeatableRequest | null,
  ): Promise<Reply<N>> {
    const context = this.#context;
    const keep: Keep<N> = (tx, reply) => {
      if (repeatable !== null) keepReply(tx, repeatable, reply);
      return reply;
    };
    if (handler.kind === 'steps') return await this.#runSteps(handler, request, who, keep);
    if (handler.kind === 'prepared') {
      const work = await handler.prepare(context, request);
      return await this.#write(who, (tx) => keep(tx, work(tx)));
    }
    return await this.#write(who, (tx) => keep(tx, handler.run(tx, request, context)));
  }

  #write<T>(who: string | null, work: (tx: Transaction) => T): Promise<T> {
    return this.#context.write((tx) => tx.actFor(who, () => work(tx)));
  }

  async #read<N extends EndpointName>(
    handler: ReadHandler<N>,
    request: Request<N>,
    signal?: AbortSignal,
  ): Promise<Reply<N>> {
    try {
      return await handler.run(this.#context, request, signal);
    } catch (error) {
      if (isIoError(error)) this.#context.startAfresh();
      throw explainMember(error);
    }
  }

  /** Runs work as several transactions, so that others are served in between. */
  async #runSteps<N extends EndpointName>(
    handler: StepHandler<N>,
    request: Request<N>,
    who: string | null,
    keep: Keep<N>,
  ): Promise<Reply<N>> {
    const context = this.#context;
    await handler.check?.(context, request);
    const { step, reply } = await this.#write(who, (tx) => {
      const begun = handler.begin(tx, request);
      if (begun.step === null) keep(tx, begun.reply);
      return begun;
    });
    if (step === null) return reply;
    const takeStep = (tx: Transaction): boolean => {
      const isLast = step(tx);
      if (isLast) keep(tx, reply);
      return isLast;
    };
    while (!(await this.#write(who, takeStep)));
    return reply;
  }
}

/** Turns a database error about one request into words. */
export function explainMember(error: unknown): unknown {
  const code = systemCode(error) ?? '';
  const words = error instanceof Error ? error.message : code;
  if (code.startsWith('SQLITE_CONSTRAINT')) {
    return new TorcError('conflict', `the database refused it: ${words}`, null, { cause: error });
  }
  if (code.startsWith('SQLITE_IOERR')) {
    const hint = 'The server opens it again and then continues. Look at its file system: torc doctor';
    return new TorcError('unreachable', `the database could not be read: ${words}`, hint, { cause: error });
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    const hint = 'Run torc server check to see what is wrong, then restore a backup: torc server restore FILE';
    return new TorcError('unusable', `the database is damaged: ${words}`, hint, { cause: error });
  }
  return error;
}
