/** What the charts over time of a workflow have in common: how it stands, the whole of its time, and how often they ask. */
import type { Reply, Request, StatusLine } from '../../api/contract.ts';
import type { CallReply, CallRequest } from '../call.ts';
import { type Asked, type Live, onlyLine, useLast, useLive, useNow, useReply } from '../hooks.ts';
import type { TimeWindow } from './window.ts';

const everyMs = 3000;
/** What runs gets longer, although nothing happens. */
const growsEveryMs = 15_000;

export interface TimeReplies<N extends 'timeline' | 'utilization'> {
  live: Live;
  line: StatusLine | null;
  /** Null where nothing has run, and before that is known. */
  whole: TimeWindow | null;
  /** Of the whole time. */
  overview: Asked<CallReply<N>>;
  paced: { version: number; everyMs: number };
}

/** `request` asks for the whole time, of one workflow and all of its runs or one. */
export function useTime<N extends 'timeline' | 'utilization'>(name: N, request: CallRequest<N>): TimeReplies<N> {
  const { workflow_key, run_id }: Pick<Request<'utilization'>, 'workflow_key' | 'run_id'> = request;
  const live = useLive([workflow_key], 1);
  const line = onlyLine(live);
  const now = useNow(growsEveryMs);
  // every change is another number
  const version = live.version + (line?.has_ended === false ? now : 0);
  const asked = useReply(name, request, version, everyMs);
  const reply = useLast(asked.reply, `${workflow_key} ${run_id}`);
  const { from, to }: Pick<Reply<'utilization'>, 'from' | 'to'> = reply ?? { from: null, to: null };
  const whole = from === null || to === null ? null : { from: Date.parse(from), to: Date.parse(to) };
  return { live, line, whole, overview: { reply, error: asked.error }, paced: { version, everyMs } };
}
