/** What the charts over time of a workflow have in common: how it stands, the whole of its time, and how often they ask. */
import type { StatusLine, Utilization } from '../../api/contract.ts';
import { type Asked, type Live, onlyLine, useLast, useLive, useNow, useReply } from '../hooks.ts';
import type { TimeQuery } from '../route.ts';
import type { TimeWindow } from './window.ts';

const everyMs = 3000;
/** What runs gets longer, although nothing happens. */
const growsEveryMs = 15_000;
export const overviewBins = 240;

export interface TimeReplies {
  live: Live;
  line: StatusLine | null;
  /** Null where nothing has run, and before that is known. */
  whole: TimeWindow | null;
  /** Of the whole time. */
  overview: Asked<Utilization>;
  paced: { version: number; everyMs: number };
}

export function useTime(workflowKey: string, { run }: TimeQuery): TimeReplies {
  const live = useLive([workflowKey], 1);
  const line = onlyLine(live);
  const now = useNow(growsEveryMs);
  // every change is another number
  const version = live.version + (line?.has_ended === false ? now : 0);
  const request = { workflow_key: workflowKey, run_id: run, from: null, to: null, num_bins: overviewBins };
  const asked = useReply('utilization', request, version, everyMs);
  const reply = useLast(asked.reply, `${workflowKey} ${run}`);
  const isEmpty = reply === null || reply.from === null || reply.to === null;
  const whole = isEmpty ? null : { from: Date.parse(reply.from ?? ''), to: Date.parse(reply.to ?? '') };
  return { live, line, whole, overview: { reply, error: asked.error }, paced: { version, everyMs } };
}
