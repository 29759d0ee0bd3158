/**
 * Sends the messages of the outbox. It claims them one by one in transactions, so that the next server finds those that
 * this one did not finish; one that was being sent when the process died is sent again, with the same id.
 */
import { asTorcError } from '../../base/errors.ts';
import { shownTarget } from '../../model/notification.ts';
import { claimMessage, type Message, recordNotSent, recordSent } from '../../storage/running/outbox.ts';
import type { ServerContext } from '../context.ts';
import { deliver } from './deliver.ts';

/** Messages are announced; if the database cannot be written then, claiming is tried again after this. */
const pauseMs = 30_000;
const mostAtATime = 4;

export class MessageSender {
  readonly #context: ServerContext;
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #numSending = 0;
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #isLooking = false;
  #mustLook = false;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  start(): void {
    this.#unsubscribe = this.#context.subscribe((facts) => {
      if (facts.some((fact) => fact.kind === 'message_written')) this.#look();
    });
    this.#look();
  }

  /** Gives up what is being sent, for the next server; resolves when nothing is in progress. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#abort.abort();
    this.#cancelTimer();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #look(): void {
    this.#mustLook = true;
    if (this.#isLooking || this.#abort.signal.aborted) return;
    this.#isLooking = true;
    this.#follow(
      this.#takeUp()
        .catch((error) => {
          // a timer of this process: a due row could not be written either
          if (!this.#abort.signal.aborted) this.#cancelTimer = this.#context.clock.after(pauseMs, () => this.#look());
          throw error;
        })
        .finally(() => {
          this.#isLooking = false;
        }),
    );
  }

  #follow(work: Promise<void>): void {
    const followed = work
      .catch((error) =>
        this.#context.info.log.error(
          { err: error },
          'whether a message was sent could not be stored; it is sent again',
        ),
      )
      .finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }

  async #takeUp(): Promise<void> {
    while (this.#mustLook && !this.#abort.signal.aborted) {
      this.#mustLook = false;
      while (this.#numSending < mostAtATime && !this.#abort.signal.aborted) {
        const message = await this.#context.write((tx) => claimMessage(tx, this.#context.epoch));
        if (message === null) break;
        this.#numSending += 1;
        const end = (): void => {
          this.#numSending -= 1;
          this.#look();
        };
        this.#follow(this.#send(message).finally(end));
      }
    }
  }

  async #send(message: Message): Promise<void> {
    const { messageKey, facts } = message;
    const { log, identity } = this.#context.info;
    const noted = { message_key: messageKey, workflow_key: facts.workflow_key, event: facts.event };
    try {
      const delivery = { ...message, id: `torc-${identity}-${messageKey}`, outputKey: messageKey };
      await deliver(this.#context, delivery, this.#abort.signal);
    } catch (error) {
      // the next server sends it
      if (this.#abort.signal.aborted) return;
      const reason = asTorcError(error).message;
      await this.#context.write((tx) => recordNotSent(tx, message, reason));
      log.warn({ ...noted, to: shownTarget(message), reason }, 'a message was not sent');
      return;
    }
    await this.#context.write((tx) => recordSent(tx, message));
    log.info({ ...noted, to: shownTarget(message) }, 'a message was sent');
  }
}
