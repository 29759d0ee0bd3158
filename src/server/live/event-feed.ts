/**
 * What happens, for those who look: which workflows have changed, or the events themselves. A follower keeps which
 * workflows have changed and a place in the history, never a queue; what it has not taken yet is put together. While
 * nobody follows, facts cost nothing.
 */
import {
  type AskEvents,
  type ChangedWorkflow,
  type EventMessage,
  type StreamedFact,
  streamedFacts,
} from '../../api/events.ts';
import { limits } from '../../api/limits.ts';
import type { RecordOf } from '../../api/records.ts';
import { TorcError } from '../../base/errors.ts';
import type { Database } from '../../storage/database/database.ts';
import type { Fact, FactOf } from '../../storage/database/facts.ts';
import { isBeyond, newestPlace, workflowsWithEventsAfter } from '../../storage/lists/history-places.ts';
import { readList } from '../../storage/lists/lists.ts';
import type { ServerContext } from '../context.ts';

/** Events of one message. */
const eventsPage = 500;
const kinds: ReadonlySet<string> = new Set(streamedFacts);

type Changes = Map<number, Set<StreamedFact>>;

export class EventFeed {
  readonly #context: Pick<ServerContext, 'db' | 'clock' | 'epoch' | 'subscribe'>;
  readonly #followers = new Set<Follower>();
  #unsubscribe: () => void = () => {};

  constructor(context: Pick<ServerContext, 'db' | 'clock' | 'epoch' | 'subscribe'>) {
    this.#context = context;
  }

  /** Who looks at the moment. */
  get size(): number {
    return this.#followers.size;
  }

  /**
   * Messages until the signal fires or the feed is closed; the next one is made when it is asked for. Throws TorcError
   * 'busy' when too many follow, 'usage' for a filter that the list of events does not have.
   */
  async *follow(asked: AskEvents, signal: AbortSignal): AsyncGenerator<EventMessage> {
    if (this.#followers.size >= limits.eventStreams) {
      throw new TorcError('busy', `${limits.eventStreams} viewers follow events already`, 'Close one of them.');
    }
    // throws what is wrong with a filter
    if (asked.records) readPage(this.#context.db, asked, newestPlace(this.#context.db));
    const follower = new Follower(this.#context, asked.workflow_keys);
    const end = (): void => follower.end();
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    this.#add(follower);
    try {
      const newest = newestPlace(this.#context.db);
      const isComplete = asked.after === null || !isBeyond(asked.after, newest);
      const after = isComplete ? (asked.after ?? newest) : newest;
      const { epoch } = this.#context;
      yield { event: 'open', id: after, data: { epoch, is_complete: isComplete } };
      yield* asked.records ? this.#events(follower, asked, after) : this.#changes(follower, after);
    } finally {
      signal.removeEventListener('abort', end);
      this.#remove(follower);
    }
  }

  /** Ends all followers. */
  close(): void {
    for (const follower of this.#followers) follower.end();
  }

  async *#changes(follower: Follower, after: string): AsyncGenerator<EventMessage> {
    const { db } = this.#context;
    for (const workflowKey of workflowsWithEventsAfter(db, after, follower.workflowKeys)) {
      follower.note(workflowKey, 'history_grew');
    }
    for (;;) {
      await follower.changed();
      if (follower.isEnded) return;
      // both at one instant: nothing that comes later is told by this message
      yield { event: 'changed', id: newestPlace(db), data: { workflows: follower.take() } };
      await follower.pause(limits.eventBatchMs);
    }
  }

  async *#events(follower: Follower, asked: AskEvents, after: string): AsyncGenerator<EventMessage> {
    const { db } = this.#context;
    for (let place = after; ; ) {
      follower.take();
      const newest = newestPlace(db);
      const { events, more } = readPage(db, asked, place);
      const last = events.at(-1);
      place = more && last !== undefined ? last.event_key : newest;
      if (last !== undefined) {
        yield { event: 'events', id: place, data: { events } };
        if (follower.isEnded) return;
        if (more) continue;
      }
      await follower.pause(limits.eventBatchMs);
      await follower.changed();
      if (follower.isEnded) return;
    }
  }

  #add(follower: Follower): void {
    if (this.#followers.size === 0) this.#unsubscribe = this.#context.subscribe((facts) => this.#learn(facts));
    this.#followers.add(follower);
  }

  #remove(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.#followers.size === 0) this.#unsubscribe();
  }

  #learn(facts: readonly Fact[]): void {
    for (const fact of facts) {
      if (!kinds.has(fact.kind)) continue;
      const { kind, workflowKey } = fact as FactOf<StreamedFact>;
      for (const follower of this.#followers) follower.note(workflowKey, kind);
    }
  }
}

/** The first events after a place. Throws TorcError 'usage' for a filter that the list of events does not have. */
function readPage(
  db: Database,
  { workflow_keys: keys, filters }: AskEvents,
  after: string,
): { events: RecordOf<'events'>[]; more: boolean } {
  const several = keys !== null && keys.length !== 1 ? [{ column: 'workflow_key', value: keys.join(',') }] : [];
  const { records, more } = readList(db, {
    list: 'events',
    workflow_key: keys?.length === 1 ? (keys[0] ?? null) : null,
    filters: [...filters, ...several],
    ...{ sort_by: null, reverse: false, skip: 0, limit: eventsPage, after },
  });
  return { events: records as RecordOf<'events'>[], more };
}

/** One who follows: what has changed since the last message. */
class Follower {
  readonly workflowKeys: readonly number[] | null;
  readonly #clock: ServerContext['clock'];
  readonly #wanted: ReadonlySet<number> | null;
  #changes: Changes = new Map();
  #wake: () => void = () => {};
  #hasEnded = false;
  /** What has changed cannot wait. */
  #isUrgent = false;

  constructor({ clock }: Pick<ServerContext, 'clock'>, workflowKeys: readonly string[] | null) {
    this.#clock = clock;
    this.workflowKeys = workflowKeys === null ? null : workflowKeys.map(Number);
    this.#wanted = this.workflowKeys === null ? null : new Set(this.workflowKeys);
  }

  get isEnded(): boolean {
    return this.#hasEnded;
  }

  note(workflowKey: number, fact: StreamedFact): void {
    if (this.#wanted?.has(workflowKey) === false) return;
    const known = this.#changes.get(workflowKey);
    if (known !== undefined) known.add(fact);
    else this.#changes.set(workflowKey, new Set([fact]));
    // with the last worker a server may end as well
    if (fact === 'run_ended' && this.#wanted !== null) this.#isUrgent = true;
    if (known === undefined || this.#isUrgent) this.#wake();
  }

  take(): ChangedWorkflow[] {
    const changes = this.#changes;
    this.#changes = new Map();
    this.#isUrgent = false;
    return [...changes].map(([workflowKey, facts]) => ({ workflow_key: String(workflowKey), facts: [...facts] }));
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Resolves when something has changed, or at the end. */
  async changed(): Promise<void> {
    while (this.#changes.size === 0 && !this.#hasEnded) await this.#woken();
  }

  /** Resolves after this time, when a run has ended, or at the end. */
  async pause(ms: number): Promise<void> {
    let isOver = false;
    const cancel = this.#clock.after(ms, () => {
      isOver = true;
      this.#wake();
    });
    while (!isOver && !this.#isUrgent && !this.#hasEnded) await this.#woken();
    cancel();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
