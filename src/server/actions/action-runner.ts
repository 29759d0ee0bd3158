/**
 * Runs what actions ask of a server: commands, and allocations in which workers start. It claims firings one by one in
 * transactions, so that the next server finds those that this one did not finish.
 */
import { asTorcError } from '../../base/errors.ts';
import { actionOutputPath } from '../../base/paths.ts';
import { runShellCommands } from '../../base/shell-commands.ts';
import {
  claimFiring,
  type Firing,
  putOffFiring,
  recordFiringBegun,
  recordFiringEnd,
} from '../../storage/running/actions.ts';
import type { ServerContext } from '../context.ts';
import { scheduleNodes } from './action-nodes.ts';
import { LocalWorkers } from './local-workers.ts';

/** Firings are announced; if the database cannot be written then, claiming is tried again after this. */
const pauseMs = 30_000;
const mostAtATime = 16;
/** If Slurm's answer does not show what happened, Slurm is asked again after this. */
const retryMs = 60_000;
const mostAttempts = 10;

export class ActionRunner {
  readonly #context: ServerContext;
  /** Null when this process has a worker of its own. */
  readonly #localWorkers: LocalWorkers | null;
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** Actions, without the search for more of them. */
  #numCarriedOut = 0;
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #isLooking = false;
  #mustLook = false;

  constructor(context: ServerContext, { startsWorkers = false }: { startsWorkers?: boolean } = {}) {
    this.#context = context;
    this.#localWorkers = startsWorkers ? new LocalWorkers(context) : null;
  }

  start(): void {
    this.#unsubscribe = this.#context.subscribe((facts) => {
      if (facts.some((fact) => fact.kind === 'action_fired')) this.#look();
    });
    this.#look();
  }

  /** Ends running commands, which counts as a failure; resolves when nothing is in progress. */
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
          'the result of an action could not be stored; the next server takes it up',
        ),
      )
      .finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }

  async #takeUp(): Promise<void> {
    while (this.#mustLook && !this.#abort.signal.aborted) {
      this.#mustLook = false;
      while (this.#numCarriedOut < mostAtATime && !this.#abort.signal.aborted) {
        const firing = await this.#context.write((tx) => claimFiring(tx, this.#context.epoch));
        if (firing === null) break;
        this.#numCarriedOut += 1;
        const end = (): void => {
          this.#numCarriedOut -= 1;
          this.#look();
        };
        this.#follow(this.#carryOut(firing).finally(end));
      }
    }
  }

  async #carryOut(firing: Firing): Promise<void> {
    if (firing.actionType === 'run_commands') await this.#runCommands(firing);
    else if (firing.scheduler === null) await this.#startWorker(firing);
    else await this.#schedule(firing);
  }

  async #startWorker(firing: Firing): Promise<void> {
    if (firing.hasBegun) return this.#end(firing, {}, 'interrupted: the server ended while the worker started');
    if (this.#localWorkers === null) return this.#end(firing, { note: 'this command has its own worker' }, null);
    await this.#context.write((tx) => recordFiringBegun(tx, firing.firingKey));
    try {
      await this.#end(firing, await this.#localWorkers.start(firing), null);
    } catch (error) {
      await this.#end(firing, {}, `no worker was started: ${asTorcError(error).message}`);
    }
  }

  async #runCommands(firing: Firing): Promise<void> {
    const { firingKey, workflowKey, actionKey, runId, commands, workingDirectory } = firing;
    const { directory } = this.#context.info;
    const outputPath = actionOutputPath(directory, firingKey);
    const end = (returnCodes: number[], error: string | null): Promise<void> =>
      this.#end(firing, { return_codes: returnCodes, output_path: outputPath }, error);
    if (firing.hasBegun) return end([], 'interrupted: the server ended while the commands ran');
    if (this.#abort.signal.aborted) return;
    await this.#context.write((tx) => recordFiringBegun(tx, firingKey));
    const variables = {
      TORC_WORKFLOW_KEY: String(workflowKey),
      TORC_WORKFLOW_ID: String(workflowKey),
      TORC_RUN_ID: String(runId),
      TORC_ACTION_KEY: String(actionKey),
      TORC_OUTPUT_DIR: firing.outputDirectory,
      TORC_DIR: directory,
      TORC_JOB_DIR: directory,
    };
    const abort = this.#abort.signal;
    const ended = await runShellCommands({
      commands,
      workingDirectory,
      variables,
      outputPath,
      timeLimitMs: null,
      abort,
    });
    await end(ended.returnCodes, ended.error === 'interrupted' ? 'interrupted: the server ended' : ended.error);
  }

  /** A firing with an unknown outcome stays claimed and is checked again, here or by the next server. */
  async #schedule(firing: Firing): Promise<void> {
    try {
      const { result, error } = await scheduleNodes(this.#context, firing);
      if (result !== null) return await this.#end(firing, result, error);
      if (firing.numAttempts >= mostAttempts) return await this.#end(firing, {}, error);
      this.#context.info.log.warn({ firing_key: firing.firingKey, reason: error }, 'scheduling nodes will be retried');
    } catch (error) {
      return await this.#end(firing, {}, asTorcError(error).message);
    }
    await this.#context.write((tx) => putOffFiring(tx, firing, retryMs));
  }

  async #end(firing: Firing, result: object, error: string | null): Promise<void> {
    await this.#context.write((tx) => recordFiringEnd(tx, firing.firingKey, result, error));
    const facts = { firing_key: firing.firingKey, action_key: firing.actionKey, error };
    if (error !== null) this.#context.info.log.warn(facts, 'an action failed');
  }
}
