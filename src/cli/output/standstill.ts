/** What a person must do before a workflow that is waited for can go on. */
import type { Api, StatusLine, StatusReply } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import type { Reason } from '../../model/decide/reason.ts';
import { type Context, note } from '../context/context.ts';
import { reasonHelp } from './reason-help.ts';
import { helpOfUnreached, unreachedOf, unreachedText } from './unreached.ts';

/** Reasons that last until somebody does something. */
const lasting: ReadonlySet<Reason['code']> = new Set<Reason['code']>([
  ...(['workflow_not_started', 'waits_for_restart', 'workflow_paused', 'no_server'] as const),
  ...(['no_worker', 'no_worker_of_config', 'no_worker_with_labels', 'workers_exclusive'] as const),
  ...(['larger_than_any_worker', 'no_worker_with_resources', 'outlasts_configs'] as const),
]);

function lasts(reason: Reason): boolean {
  if (reason.code !== 'waits_for_nodes') return lasting.has(reason.code);
  return reason.scaling.code === 'fits_no_config' || reason.scaling.code === 'no_config';
}

/** Why all workflows stand still until somebody starts or restarts one; null while any of them may go on. */
export function standstill({ torc }: Pick<Context, 'torc'>, { workflows }: StatusReply): TorcError | null {
  const idle = workflows.filter(({ has_ended }) => !has_ended);
  if (idle.some(({ status }) => status !== 'uninitialized')) return null;
  const [first, ...others] = idle;
  if (first === undefined) return null;
  const [held] = first.held_back;
  const keys = idle.map(({ workflow_key }) => workflow_key).join(', ');
  const why = `workflow ${keys}: ${visible(held?.text ?? 'it has not started')}`;
  const what = others.length === 0 ? why : `workflows ${keys}: none of them has been started`;
  return new TorcError('conflict', `nothing runs in ${what}`, helpOf({ torc }, first, held)[0] ?? null);
}

function helpOf(
  context: Pick<Context, 'torc'>,
  { workflow_key }: StatusLine,
  held: StatusLine['held_back'][number] | undefined,
): string[] {
  return held === undefined ? [] : reasonHelp(context, { workflow_key, job_key: 'JOB' }, [held.reason]);
}

/** What workflows lack, said once each, and not before it has lasted: a worker may be about to come. */
export class LackNotes {
  readonly #context: Context;
  readonly #said = new Set<string>();
  readonly #pending = new Map<string, { id: string; cancel: () => void }>();

  constructor(context: Context) {
    this.#context = context;
  }

  seen({ workflows }: StatusReply): void {
    for (const line of workflows) {
      const { workflow_key: key, has_ended, num_running, held_back } = line;
      const [first] = held_back;
      const isStuck = !has_ended && num_running === 0 && first !== undefined && lasts(first.reason);
      const id = isStuck ? `${key} ${first.reason.code}` : null;
      const pending = this.#pending.get(key);
      if (pending?.id === id) continue;
      pending?.cancel();
      this.#pending.delete(key);
      if (id === null || this.#said.has(id)) continue;
      const cancel = this.#context.clock.after(lastsMs, () => this.#say(id, line));
      this.#pending.set(key, { id, cancel });
    }
  }

  end(): void {
    for (const { cancel } of this.#pending.values()) cancel();
  }

  #say(id: string, line: StatusLine): void {
    this.#said.add(id);
    const { clock, directory, torc } = this.#context;
    for (const worker of unreachedOf(directory, line.workflow_key, clock.now())) {
      const help = helpOfUnreached(torc, worker).join(', or ');
      note(this.#context, `workflow ${line.workflow_key}: ${visible(unreachedText(worker))} ${help}`, 'warning');
    }
    const [first] = line.held_back;
    const commands = helpOf(this.#context, line, first);
    const help = commands.length === 0 ? '' : `: ${commands.join(', or ')}`;
    note(this.#context, `workflow ${line.workflow_key}: ${visible(first?.text ?? '')}${help}`, 'warning');
  }
}

const lastsMs = 2000;

/** What a run that has a worker waits for until somebody does something, said once each. */
export class HeldNotes {
  readonly #context: Context;
  readonly #api: Api;
  readonly #workflowKey: string;
  readonly #said = new Set<string>();

  constructor(context: Context, api: Api, workflowKey: string) {
    this.#context = context;
    this.#api = api;
    this.#workflowKey = workflowKey;
  }

  async look(): Promise<void> {
    const { workflow } = await this.#api.call('workflow_status', { workflow_key: this.#workflowKey });
    for (const held of workflow.held_back) {
      const id = JSON.stringify(held.reason);
      if (!isHeldByPerson(held.reason) || this.#said.has(id)) continue;
      this.#said.add(id);
      const help = helpOf(this.#context, workflow, held).join(', or ');
      const line = this.#context.hasProgress ? '\n' : '';
      note(this.#context, `${line}workflow ${this.#workflowKey}: ${visible(held.text)}: ${help}`, 'warning');
    }
  }
}

function isHeldByPerson(reason: Reason): boolean {
  if (reason.code === 'held') return reason.kind === 'person';
  return reason.code === 'workflow_paused' || (reason.code === 'waits_for_limit' && reason.maximum === 0);
}
