/**
 * Makes the workflows of schedules. An instant that has come becomes a row in the transaction that moves its schedule on,
 * and a row becomes a workflow in the transaction that makes it visible: so none is lost and none counts twice, whenever
 * a server dies.
 */
import { asTorcError, type ErrorCode } from '../../base/errors.ts';
import { settleInstants } from '../../model/decide/schedule.ts';
import { fireGenerator } from '../../storage/authoring/generators.ts';
import {
  dueSchedules,
  hasDueSchedule,
  queuedSchedules,
  restoreAlarms,
  type Schedule,
  scheduleByKey,
  setNextInstant,
} from '../../storage/authoring/schedules.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { itemsOfTick } from '../../storage/running/items.ts';
import {
  addMissed,
  admitTick,
  hasOpenTicks,
  type LiveTick,
  liveTick,
  noteFailed,
  noteStarted,
  promoteTick,
  type Tick,
  ticksToCarryOut,
  trimTicks,
} from '../../storage/running/ticks.ts';
import { findWorkflow, jobCounts } from '../../storage/running/workflows.ts';
import type { ServerContext } from '../context.ts';
import { timingOf } from './schedule-instants.ts';
import { createScheduled } from './scheduled-workflow.ts';

type Instants = typeof import('../../model/decide/instants.ts');

/** The wait after the database could not be written. */
const pauseMs = 10_000;
/** At most this many instants that passed unnoticed are looked at one by one. */
const mostPassed = 1000;
/** Not the fault of a specification: it is tried again. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'no_space',
  'unreachable',
  'busy',
  'unusable',
  'interrupted',
]);

/** A server that died may have left its cancel half done. */
function mustCancel(tx: Transaction, { workflowKey, isCanceled }: LiveTick): boolean {
  if (!isCanceled || workflowKey === null) return true;
  const { uninitialized, blocked, ready } = jobCounts(tx, workflowKey);
  return uninitialized + blocked + ready > 0;
}

export class ScheduleRunner {
  readonly #context: ServerContext;
  #underWay: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #isLooking = false;
  #mustLook = false;
  #isClosed = false;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  start(): void {
    this.#unsubscribe = this.#context.subscribe((facts) => {
      if (facts.some(({ kind }) => kind === 'schedule_due' || kind === 'run_ended')) this.#look();
    });
    this.#look();
  }

  /** Resolves when nothing is in progress. The next server goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancelTimer();
    await this.#underWay;
  }

  #look(): void {
    this.#mustLook = true;
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    this.#cancelTimer();
    this.#underWay = this.#workOff()
      .catch((error) => {
        if (this.#isClosed) return;
        this.#context.info.log.error({ err: error }, 'the work of schedules could not be stored; it is tried again');
        // a timer of this process: a due row could not be written either
        this.#cancelTimer = this.#context.clock.after(pauseMs, () => this.#look());
      })
      .finally(() => {
        this.#isLooking = false;
        if (this.#mustLook) this.#look();
      });
  }

  async #workOff(): Promise<void> {
    while (this.#mustLook && !this.#isClosed) {
      this.#mustLook = false;
      const { view } = this.#context;
      if (!hasDueSchedule(view) && !hasOpenTicks(view)) continue;
      const instants = await import('../../model/decide/instants.ts');
      const work = await this.#context.write((tx) => this.#advance(tx, instants));
      for (const workflowKey of work.toCancel) await this.#cancel(workflowKey);
      for (const tick of work.ticks) {
        if (this.#isClosed) return;
        await this.#carryOut(tick);
      }
    }
  }

  /** Turns the instants that have come into rows; returns what is to be done outside of a transaction. */
  #advance(tx: Transaction, instants: Instants): { ticks: Tick[]; toCancel: number[] } {
    for (const schedule of dueSchedules(tx)) {
      if (schedule.mostItems === null) this.#noteInstants(tx, schedule, instants);
      else fireGenerator(tx, schedule, true);
    }
    restoreAlarms(tx);
    const toCancel: number[] = [];
    for (const { scheduleKey, overlap } of queuedSchedules(tx)) {
      promoteTick(tx, scheduleKey);
      const live = overlap === 'replace' ? liveTick(tx, scheduleKey) : null;
      if (live?.state === 'started' && live.workflowKey !== null && mustCancel(tx, live))
        toCancel.push(live.workflowKey);
    }
    return { ticks: ticksToCarryOut(tx), toCancel };
  }

  #noteInstants(tx: Transaction, schedule: Schedule, { passedInstants }: Instants): void {
    const { scheduleKey, overlap, catchUp, mostCaughtUp, nextAt } = schedule;
    if (nextAt === null) return;
    const passed = passedInstants(timingOf(schedule), nextAt, tx.now, mostPassed);
    const lateness = { now: tx.now, servedSince: this.#context.startedAt, catchUp, mostCaughtUp };
    const { missed, late, onTime } = settleInstants(passed.instants, lateness);
    const { numEarlier } = passed;
    const last = missed.at(-1) ?? (numEarlier === 0 ? null : (passed.instants[0] ?? nextAt) - 1);
    if (last !== null) {
      const count = numEarlier === null ? null : numEarlier + missed.length;
      addMissed(tx, scheduleKey, { first: nextAt, last, count });
    }
    for (const at of late) admitTick(tx, { scheduleKey, overlap, at, origin: 'late' });
    for (const at of onTime) admitTick(tx, { scheduleKey, overlap, at, origin: 'on_time' });
    setNextInstant(tx, schedule, passed.next);
    trimTicks(tx, scheduleKey);
  }

  /** A workflow that the next instant replaces. It may have ended by itself. */
  async #cancel(workflowKey: number): Promise<void> {
    try {
      const workflow_key = String(workflowKey);
      await this.#context.call('workflow_cancel', { workflow_key, dry_run: false });
    } catch (error) {
      const { code, message } = asTorcError(error);
      if (passing.has(code)) throw error;
      this.#context.info.log.info({ workflow_key: workflowKey, reason: message }, 'nothing was to be canceled');
    }
  }

  async #carryOut(tick: Tick): Promise<void> {
    try {
      const workflowKey = tick.state === 'pending' ? await this.#create(tick) : tick.workflowKey;
      if (workflowKey !== null) await this.#start(tick, workflowKey);
    } catch (error) {
      const { code, message } = asTorcError(error);
      if (passing.has(code)) throw error;
      const { log } = this.#context.info;
      log.warn({ tick_key: tick.tickKey, reason: message }, 'a schedule could not run its workflow');
      await this.#context.write((tx) => noteFailed(tx, tick, message));
    }
  }

  /** Null when the schedule was deleted meanwhile. */
  async #create(tick: Tick): Promise<number | null> {
    const schedule = scheduleByKey(this.#context.view, tick.scheduleKey);
    if (schedule === null) return null;
    const { name, timeZone, specification, mostItems } = schedule;
    const items = mostItems === null ? {} : { items: itemsOfTick(this.#context.view, tick.tickKey) };
    const run = { schedule: name, at: tick.at, timeZone, run: tick.run ?? 0, ...items };
    return await createScheduled(this.#context, tick, specification, run);
  }

  /** The server before this one may have started it. */
  async #start(tick: Tick, workflowKey: number): Promise<void> {
    if (findWorkflow(this.#context.view, workflowKey)?.phase !== 'started') {
      const workflow_key = String(workflowKey);
      await this.#context.call('workflow_start', { workflow_key, dry_run: false });
    }
    await this.#context.write((tx) => noteStarted(tx, tick));
  }
}
