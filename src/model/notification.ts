/** Messages to people: what a rule of a workflow says, and what is known when one is written. */

/**
 * What people can be told. The first four are ends of a run; `job_failed`: a job has failed for good; `waiting`: ready
 * jobs have no worker, and none is on its way.
 */
export const notificationEvents = ['done', 'failed', 'timeout', 'canceled', 'job_failed', 'waiting'] as const;
export type NotificationEvent = (typeof notificationEvents)[number];

/** What a rule tells that does not say. */
export const usualEvents: readonly NotificationEvent[] = ['done', 'failed', 'timeout', 'canceled'];

export const notificationKinds = ['email', 'webhook', 'webhook_file', 'command'] as const;
export type NotificationKind = (typeof notificationKinds)[number];

/** Where messages go. */
export interface NotificationTarget {
  kind: NotificationKind;
  /** An address, a URL, the path of a file whose first line is one, or a command. */
  target: string;
  /** A file whose first line a webhook gets as its bearer token. */
  tokenFile: string | null;
}

export interface NotificationRule extends NotificationTarget {
  events: readonly NotificationEvent[];
}

/** The target as lists and events show it: of a URL, which lets anybody who knows it write there, only the host. */
export function shownTarget({ kind, target }: Pick<NotificationTarget, 'kind' | 'target'>): string {
  if (kind !== 'webhook') return target;
  const { protocol, host } = new URL(target);
  return `${protocol}//${host}/..`;
}

const loopback = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])$/;

/** Whether a host is this machine. */
export function isLoopback(host: string): boolean {
  return loopback.test(host);
}

/** What is wrong with the URL of a webhook; null when messages may go there. It never repeats the URL. */
export function webhookProblem(text: string, hasToken: boolean): string | null {
  if (!URL.canParse(text)) return 'is not a URL, such as https://example.org/hook';
  const { protocol, username, password, hostname } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'is not a URL that begins with https:// or http://';
  if (username !== '' || password !== '') return 'contains a user or a password; name a file with a token (token_file)';
  if (hasToken && protocol === 'http:' && !isLoopback(hostname)) return 'would get the token unencrypted: use https://';
  return null;
}

/** `collecting`: a digest of failed jobs that grows; `postponed`: a try failed, and another one follows; `failed`: given up. */
export const messageStates = ['collecting', 'pending', 'sending', 'postponed', 'sent', 'failed'] as const;

/** A job that a message names. */
export interface ToldJob {
  job_key: string;
  name: string;
  status: string;
  cause: string | null;
  return_code: number | null;
  attempt_id: number | null;
  has_log: boolean;
}

/** At most this many jobs are named in a message. */
export const mostToldJobs = 5;

/** What a message says, as it was in the transaction that made it true. Instants are milliseconds UTC. */
export interface ToldFacts {
  event: NotificationEvent | 'test';
  workflow_key: string;
  name: string;
  user: string;
  run_id: number;
  status: string;
  counts: {
    jobs: number;
    succeeded: number;
    failed: number;
    canceled: number;
    terminated: number;
    lost: number;
    /** Neither ended nor canceled nor lost. */
    unfinished: number;
  };
  /** What ended the run before all its jobs have run. */
  cut_off_by: string | null;
  started_at: number | null;
  told_at: number;
  /** The first jobs that failed, were terminated or lost: in the run, or with `job_failed` since the last message. */
  jobs: ToldJob[];
  /** How many there are. */
  num_concerned: number;
}
