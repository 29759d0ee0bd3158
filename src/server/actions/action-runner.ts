/** Runs what actions ask of a server: commands, and allocations in which workers start. */
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
import { ClaimedWork, type StoreOutcome } from './claimed-work.ts';
import { LocalWorkers } from './local-workers.ts';

const mostAtATime = 16;
/** If Slurm's answer does not show what happened, Slurm is asked again after this. */
const retryMs = 60_000;
const mostAttempts = 10;

interface Begun {
  firing: Firing;
  ended: AbortSignal;
  store: StoreOutcome;
}

export class ActionRunner {
  readonly #context: ServerContext;
  /** Null when this process has a worker of its own. */
  readonly #localWorkers: LocalWorkers | null;
  readonly #work: ClaimedWork<Firing>;

  constructor(context: ServerContext, { startsWorkers = false }: { startsWorkers?: boolean } = {}) {
    this.#context = context;
    this.#localWorkers = startsWorkers ? new LocalWorkers(context) : null;
    this.#work = new ClaimedWork(context, {
      announcedBy: 'action_fired',
      mostAtATime,
      claim: claimFiring,
      carryOut: (firing, ended, store) => this.#carryOut({ firing, ended, store }),
      outcomeNotStored: 'the state of an action could not be stored; that is tried again',
    });
  }

  start(): void {
    this.#work.start();
  }

  /** Ends running commands, which counts as a failure; resolves when nothing is in progress. */
  close(): Promise<void> {
    return this.#work.close();
  }

  async #carryOut(begun: Begun): Promise<void> {
    const { firing } = begun;
    if (firing.actionType === 'run_commands') await this.#runCommands(begun);
    else if (firing.scheduler === null) await this.#startWorker(begun);
    else await this.#schedule(begun);
  }

  async #startWorker(begun: Begun): Promise<void> {
    const { firing, store } = begun;
    if (firing.hasBegun) return this.#end(begun, {}, 'interrupted: the server ended while the worker started');
    if (this.#localWorkers === null) return this.#end(begun, { note: 'this command has its own worker' }, null);
    await store((tx) => recordFiringBegun(tx, firing.firingKey));
    try {
      await this.#end(begun, await this.#localWorkers.start(firing), null);
    } catch (error) {
      await this.#end(begun, {}, `no worker was started: ${asTorcError(error).message}`);
    }
  }

  async #runCommands(begun: Begun): Promise<void> {
    const { firing, ended: abort, store } = begun;
    const { firingKey, workflowKey, actionKey, runId, commands, workingDirectory } = firing;
    const { directory } = this.#context.info;
    const outputPath = actionOutputPath(directory, firingKey);
    const end = (returnCodes: number[], error: string | null): Promise<void> =>
      this.#end(begun, { return_codes: returnCodes, output_path: outputPath }, error);
    if (firing.hasBegun) return end([], 'interrupted: the server ended while the commands ran');
    if (abort.aborted) return;
    await store((tx) => recordFiringBegun(tx, firingKey));
    const variables = {
      TORC_WORKFLOW_KEY: String(workflowKey),
      TORC_WORKFLOW_ID: String(workflowKey),
      TORC_RUN_ID: String(runId),
      TORC_ACTION_KEY: String(actionKey),
      TORC_OUTPUT_DIR: firing.outputDirectory,
      TORC_DIR: directory,
      TORC_JOB_DIR: directory,
    };
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
  async #schedule(begun: Begun): Promise<void> {
    const { firing, store } = begun;
    try {
      const { result, error } = await scheduleNodes(this.#context, firing);
      if (result !== null) return await this.#end(begun, result, error);
      if (firing.numAttempts >= mostAttempts) return await this.#end(begun, {}, error);
      this.#context.info.log.warn({ firing_key: firing.firingKey, reason: error }, 'scheduling nodes will be retried');
    } catch (error) {
      return await this.#end(begun, {}, asTorcError(error).message);
    }
    await store((tx) => putOffFiring(tx, firing, retryMs));
  }

  async #end({ firing, store }: Begun, result: object, error: string | null): Promise<void> {
    await store((tx) => recordFiringEnd(tx, firing.firingKey, result, error));
    const facts = { firing_key: firing.firingKey, action_key: firing.actionKey, error };
    if (error !== null) this.#context.info.log.warn(facts, 'an action failed');
  }
}
