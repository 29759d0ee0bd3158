/** A notification in words: what happened, the counts, the first causes, and what to type next. */
import { counted, visible } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import type { ToldFacts, ToldJob } from '../notification.ts';

export interface MessagePlace {
  /** The start of a command line that uses the server directory: `torc` or `torc --dir D`. */
  torc: string;
  hostname: string;
}

export interface MessageText {
  /** One line. */
  subject: string;
  /** Lines that end with a line feed. */
  text: string;
}

/** Neither output of jobs nor their commands or environment are in it, because these may hold secrets. */
export function messageText(facts: ToldFacts, place: MessagePlace): MessageText {
  const happened = whatHappened(facts);
  const paragraphs = [`${sentence(facts, happened)}\n`, countsText(facts), jobsText(facts), nextText(facts, place)];
  const origin = `From torc on ${place.hostname}: ${place.torc} notifications list ${facts.workflow_key}\n`;
  return {
    subject: `torc: ${titleOf(facts)} ${happened}`,
    text: [...paragraphs, origin].filter((paragraph) => paragraph !== '').join('\n'),
  };
}

function titleOf({ workflow_key, name }: ToldFacts): string {
  const shown = visible(name);
  return `workflow ${workflow_key} (${shown.length > 100 ? `${shown.slice(0, 100)}..` : shown})`;
}

function whatHappened(facts: ToldFacts): string {
  const { event, counts, num_concerned: n } = facts;
  switch (event) {
    case 'done':
      return 'is done';
    case 'failed':
      return counts.failed > 0 ? `failed: ${counts.failed} of ${counted(counts.jobs, 'job')} failed` : 'failed';
    case 'timeout':
      return 'reached its timeout';
    case 'canceled':
      return 'was canceled';
    case 'job_failed':
      return n === 1 ? `has a failed job: ${jobName(facts.jobs[0])}` : `has ${n} failed jobs`;
    case 'waiting':
      return 'waits for a worker';
    case 'test':
      return 'sends a test message';
  }
}

function jobName(job: ToldJob | undefined): string {
  const name = visible(job?.name ?? '');
  return name.length > 100 ? `${name.slice(0, 100)}..` : name;
}

function sentence(facts: ToldFacts, happened: string): string {
  const { event, run_id, started_at, told_at, user } = facts;
  const run = run_id === 0 ? 'not started yet' : `run ${run_id}`;
  const isEnd = event === 'done' || event === 'failed' || event === 'timeout' || event === 'canceled';
  const after = started_at === null || !isEnd ? '' : `, after ${formatDuration((told_at - started_at) / 1000)}`;
  const title = titleOf(facts);
  return `${title.charAt(0).toUpperCase()}${title.slice(1)} of ${visible(user)} ${happened} (${run}${after}).${cutOff(facts)}`;
}

function cutOff({ cut_off_by, event }: ToldFacts): string {
  if (cut_off_by === 'max_failures')
    return ' Too many jobs failed (max_failures), so what had not started was canceled.';
  return cut_off_by === 'timeout' && event !== 'timeout' ? ' The timeout of the run is over.' : '';
}

function countsText({ counts }: ToldFacts): string {
  const { jobs, ...others } = counts;
  const parts = Object.entries(others).filter(([word, n]) => n > 0 || word === 'succeeded');
  return `${counted(jobs, 'job')}: ${parts.map(([word, n]) => `${n} ${word}`).join(', ')}\n`;
}

function jobsText({ jobs, num_concerned }: ToldFacts): string {
  if (jobs.length === 0) return '';
  const lines = jobs.map((job) => `  job ${job.job_key} (${jobName(job)}): ${endOf(job)}\n`);
  const left = num_concerned - jobs.length;
  return `Cause:\n${lines.join('')}${left > 0 ? `  and ${left} more\n` : ''}`;
}

function endOf({ status, cause, return_code, attempt_id }: ToldJob): string {
  const how = status === 'done' ? `return code ${return_code}` : status;
  const attempt = attempt_id !== null && attempt_id > 1 ? `, attempt ${attempt_id}` : '';
  return `${how}${cause === null ? '' : ` (${cause})`}${attempt}`;
}

function nextText(facts: ToldFacts, { torc }: MessagePlace): string {
  const commands = nextCommands(facts).map((command) => `  ${torc} ${command}\n`);
  return commands.length === 0 ? '' : `Next:\n${commands.join('')}`;
}

function nextCommands({ event, workflow_key: key, counts, jobs: [first] }: ToldFacts): string[] {
  const look = first === undefined ? [] : [lookAt(first)];
  switch (event) {
    case 'done':
      return [`results list -k ${key}`];
    case 'failed':
      return [
        ...look,
        ...(counts.lost > 0 ? [`jobs diagnose -k ${key}`] : []),
        counts.failed > 0 ? `workflows reset-status ${key} --failed-only --restart` : `workflows restart ${key}`,
      ];
    case 'timeout':
    case 'canceled':
      return [...look, `workflows restart ${key}`];
    case 'job_failed':
      return [...look, `workflows show-status ${key}`];
    case 'waiting':
      return [`jobs run ${key}`, `-k ${key} hpc slurm schedule-nodes -n 1`];
    case 'test':
      return [];
  }
}

function lookAt({ job_key, has_log }: ToldJob): string {
  return has_log ? `jobs logs ${job_key} --stderr` : `jobs show ${job_key}`;
}
