/** The server and its database as a whole: its state, its end, its token, copies and checks. */
import { z } from 'zod';
import { count, instant, key, text } from './fields.ts';
import { relayKinds } from './relay-kinds.ts';

export const nothing = z.strictObject({});

export const serverInfo = () =>
  z.strictObject({
    version: z.string(),
    protocol: count,
    epoch: count,
    hostname: z.string(),
    pid: count,
    user: z.string(),
    directory: z.string(),
    started_at: instant,
    /** The server's clock. */
    now: instant,
    num_active_workers: count,
    /** Allocations of any workflow that may still wait or run. */
    num_open_allocations: count,
    /** Of its database; null from a server of an older torc. */
    schema_version: count.nullable(),
    /** The schema version of the database that this server found and upgraded; null for one of its own version. */
    upgraded_from: count.nullable(),
    /** The copy that shows how it was before. */
    upgrade_copy: z.string().nullable(),
  });

/** Who waits for a server when this process is none. */
export const serverAwaited = () =>
  z.strictObject({
    /** Workers that are registered, without those of this host whose process has ended. */
    num_workers: count,
    /** Allocations of any workflow that may still wait or run. */
    num_allocations: count,
    /** With an instant to come. */
    num_schedules: count,
    /** Workflows whose run goes on and that ask for nodes by themselves. */
    num_autoscaled: count,
    /** Workflows that are about to recover by themselves. */
    num_recovering: count,
    /** To people, not tried yet. */
    num_messages: count,
    /** The server in the background that was started last and was not meant to end, with its options. */
    lasting: z
      .strictObject({
        hostname: z.string(),
        host: z.string().nullable(),
        port: count.nullable(),
        advertise: z.string().nullable(),
        relay: z.enum(relayKinds).nullable(),
        idle_minutes: z.number().nullable(),
        lease_seconds: z.number().nullable(),
      })
      .nullable(),
  });

export const stopReply = () => z.strictObject({ pid: count });

/** For how long the previous token stays valid. */
export const rotateToken = z.strictObject({ grace_seconds: z.number().int().nonnegative().max(86_400) });
export const rotateTokenReply = () => z.strictObject({ pid: count, hostname: z.string() });

/** Copies the database into a new file on the server's host. The path is absolute; nothing may exist there. */
export const backup = z.strictObject({ path: text.min(1) });
/** The host on which the file was written. */
export const backupReply = () => z.strictObject({ hostname: z.string(), size_bytes: count });

/**
 * Removes what earlier runs have left behind, of workflows whose last run has ended: events, and attempts that have a later
 * result. Nothing of the last run, and never the newest result of a job.
 */
export const prune = z.strictObject({
  older_than_seconds: z.number().nonnegative().max(1e10),
  /** Attempts as well as events. */
  attempts: z.boolean(),
  dry_run: z.boolean(),
});
export const pruneReply = () =>
  z.strictObject({
    dry_run: z.boolean(),
    before: instant,
    num_workflows: count,
    num_events: count,
    num_attempts: count,
    /** The first thousand of them. */
    workflows: z.array(z.strictObject({ workflow_key: key, name: z.string(), num_events: count, num_attempts: count })),
  });

/** A place in the attempts of all workflows; null before the first attempt of one. */
const attemptPlace = z.strictObject({ workflow_key: key, attempt_key: key.nullable() });

/**
 * Removes output of jobs in workflows whose last run ended before an instant: that of some attempts of the first such
 * workflow after a place.
 */
export const pruneLogs = z.strictObject({ before: instant, after: attemptPlace.nullable(), dry_run: z.boolean() });
export const pruneLogsReply = () =>
  z.strictObject({
    /** Null when there is none. */
    workflow_key: key.nullable(),
    name: z.string().nullable(),
    num_files: count,
    num_bytes: count,
    /** Files that stay: links, not this user's, or in a directory that is not here or not of this server directory. */
    num_left: count,
    /** Where the next request goes on; null at the end. */
    next: attemptPlace.nullable(),
  });

const problem = () =>
  z.strictObject({
    /** `damaged`: the file itself; `inconsistent`: what is stored contradicts itself. */
    kind: z.enum(['damaged', 'inconsistent']),
    workflow_key: key.nullable(),
    job_key: key.nullable(),
    job_name: z.string().nullable(),
    message: z.string(),
  });
export type Problem = z.infer<ReturnType<typeof problem>>;

export const checkReply = () =>
  z.strictObject({
    sound: z.boolean(),
    schema_version: count,
    num_workflows: count,
    num_jobs: count,
    num_attempts: count,
    num_problems: count,
    /** The first of them. */
    problems: z.array(problem()),
  });
export type CheckReply = z.infer<ReturnType<typeof checkReply>>;
