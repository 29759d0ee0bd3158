/** What `torc watch` shows: a line for each change in a pipe, a page that fits into the terminal. */
import type { StatusLine, StatusReply } from '../../api/contract.ts';
import { exitCodes } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { stateText } from './status-table.ts';
import { fitWidth } from './width.ts';

/** `workflow 7 (sim): running, 12/20 done, 1 failed, 3 running`. */
export function changeText(line: StatusLine): string {
  const { workflow_key, name, num_done, num_jobs, num_failed, num_running, num_canceled } = line;
  const counts = [
    `${num_done}/${num_jobs} done`,
    ...(num_failed > 0 ? [`${num_failed} failed`] : []),
    ...(num_canceled > 0 ? [`${num_canceled} canceled`] : []),
    ...(num_running > 0 ? [`${num_running} running`] : []),
  ];
  return `workflow ${workflow_key} (${visible(name)}): ${visible(stateText(line))}, ${counts.join(', ')}`;
}

/** The same with the local time before it, and what is left after it. */
export function changeLine(line: StatusLine, now: number): string {
  const left = line.eta_seconds === null ? '' : `, about ${formatDuration(line.eta_seconds)} left`;
  return `${localTime(now)} ${changeText(line)}${left}`;
}

/** Why a workflow that recovers by itself does not do so at once; null while it waits for no recovery. */
export function recoveryWait({ recovers_at }: StatusLine, now: number): string | null {
  const at = recovers_at === null ? now : Date.parse(recovers_at);
  const seconds = Math.round((at - now) / 1000);
  if (seconds <= 0) return null;
  return `; recovers at ${localTime(at)}, in ${formatDuration(seconds)}: the last recovery did not help`;
}

export function localTime(milliseconds: number): string {
  const at = new Date(milliseconds);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** The lines that fit above the last one, which is the footer. */
export function screenLines(
  text: string,
  footer: string,
  { columns, rows }: { columns: number; rows: number },
): string[] {
  const lines = text.replace(/\n+$/, '').split('\n');
  const room = Math.max(1, rows - 1);
  const shown =
    lines.length <= room ? lines : [...lines.slice(0, room - 1), `.. ${lines.length - room + 1} more lines`];
  const space = Array.from({ length: Math.max(0, room - shown.length) }, () => '');
  return [...shown, ...space, fitWidth(footer, columns)];
}

/** As `torc run` would end: 0 when all are done, 1 when one has failed, 8 when one was ended by its timeout. */
export function exitCodeOfAll({ workflows }: StatusReply): number {
  if (workflows.every(({ status }) => status === 'done')) return 0;
  const isTimeout = workflows.every(({ status }) => status === 'done' || status === 'timeout');
  return isTimeout ? exitCodes.timeout : exitCodes.jobs_failed;
}
