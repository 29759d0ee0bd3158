/** Sends the messages of the outbox; one that was being sent when the process died is sent again, with the same id. */
import { asTorcError } from '../../base/errors.ts';
import { shownTarget } from '../../model/notification.ts';
import { claimMessage, type Message, recordNotSent, recordSent } from '../../storage/running/outbox.ts';
import type { ServerContext } from '../context.ts';
import { ClaimedWork, type StoreOutcome } from './claimed-work.ts';
import { deliver } from './deliver.ts';

const mostAtATime = 4;

export class MessageSender {
  readonly #context: ServerContext;
  readonly #deliver: typeof deliver;
  readonly #work: ClaimedWork<Message>;

  /** `deliverMessage` is for simulators. */
  constructor(context: ServerContext, deliverMessage = deliver) {
    this.#context = context;
    this.#deliver = deliverMessage;
    this.#work = new ClaimedWork(context, {
      announcedBy: 'message_written',
      mostAtATime,
      claim: claimMessage,
      carryOut: (message, ended, store) => this.#send(message, ended, store),
      outcomeNotStored: 'whether a message was sent could not be stored; that is tried again',
    });
  }

  start(): void {
    this.#work.start();
  }

  /** Gives up what is being sent, for the next server; resolves when nothing is in progress. */
  close(): Promise<void> {
    return this.#work.close();
  }

  async #send(message: Message, ended: AbortSignal, store: StoreOutcome): Promise<void> {
    const { messageKey, facts } = message;
    const { log, identity } = this.#context.info;
    const noted = { message_key: messageKey, workflow_key: facts.workflow_key, event: facts.event };
    try {
      const delivery = { ...message, id: `torc-${identity}-${messageKey}`, outputKey: messageKey };
      await this.#deliver(this.#context, delivery, ended);
    } catch (error) {
      // the next server sends it
      if (ended.aborted) return;
      const reason = asTorcError(error).message;
      await store((tx) => recordNotSent(tx, message, reason));
      log.warn({ ...noted, to: shownTarget(message), reason }, 'a message was not sent');
      return;
    }
    await store((tx) => recordSent(tx, message));
    log.info({ ...noted, to: shownTarget(message) }, 'a message was sent');
  }
}
