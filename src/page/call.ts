/** Requests to the listener, which has the server's answer them. */
import type { Reply, Request } from '../api/contract.ts';
import type { DashAnswerName, DashAnswers } from '../api/dash.ts';

type Forwarded =
  | 'list'
  | 'status'
  | 'workflow_show'
  | 'workflow_graph'
  | 'graph_group'
  | 'limits_list'
  | 'timeline'
  | 'utilization';
export type CallName = Forwarded | DashAnswerName;
export type CallRequest<N extends CallName> = N extends DashAnswerName
  ? DashAnswers[N]['request']
  : N extends Forwarded
    ? Request<N>
    : never;
export type CallReply<N extends CallName> = N extends DashAnswerName
  ? DashAnswers[N]['reply']
  : N extends Forwarded
    ? Reply<N>
    : never;

/** What went wrong: a sentence and what to do. */
export class CallError extends Error {
  readonly code: string;
  readonly hint: string | null;

  constructor(code: string, message: string, hint: string | null) {
    super(message);
    this.code = code;
    this.hint = hint;
  }

  /** Whether trying again may help. */
  get isPassing(): boolean {
    return ['away', 'unreachable', 'busy'].includes(this.code);
  }
}

export async function call<N extends CallName>(
  name: N,
  request: CallRequest<N>,
  signal: AbortSignal | null = null,
): Promise<CallReply<N>> {
  return (await timedCall(name, request, signal)).reply;
}

export interface TimedReply<N extends CallName> {
  reply: CallReply<N>;
  /** How long the listener took for it, without the way between it and the browser. */
  costMs: number;
}

export async function timedCall<N extends CallName>(
  name: N,
  request: CallRequest<N>,
  signal: AbortSignal | null = null,
): Promise<TimedReply<N>> {
  let response: Response;
  try {
    response = await fetch(`v1/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new CallError(
      'away',
      'torc dash does not answer: it has ended, or the connection to its machine is lost.',
      'Check the terminal in which torc dash runs, and the ssh command.',
    );
  }
  const value = await response.json().catch(() => null);
  const costMs = Number(/dur=([\d.]+)/.exec(response.headers.get('server-timing') ?? '')?.[1] ?? 0);
  if (response.ok) return { reply: value as CallReply<N>, costMs };
  const { code = 'bug', message = `the answer has the status ${response.status}`, hint = null } = value?.error ?? {};
  throw new CallError(code, message, hint);
}
