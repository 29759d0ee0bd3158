/** Names and keys that begin with what a person has typed, read from indexes: also among a million jobs in no time. */
import type { Candidate, Completed } from '../../api/candidates.ts';
import type { Reply, Request } from '../../api/contract.ts';
import type { Database } from '../database/database.ts';

const mostCandidates = 100;

/** How a kind of rows is read: each has an index over the name, or few rows. */
interface Source {
  table: string;
  key: string;
  /** Beside the name. */
  description: string;
  scope: string;
}

const ofWorkflow = 'workflow_key = @workflow';
const sources: Readonly<Record<Completed, Source>> = {
  workflows: {
    table: 'workflows',
    key: 'workflow_key',
    description: `'workflow ' || workflow_key`,
    scope: `phase IN ('created', 'starting', 'started') AND is_archived = 0`,
  },
  jobs: { table: 'jobs', key: 'job_key', description: 'status', scope: ofWorkflow },
  files: { table: 'files', key: 'file_key', description: 'path', scope: ofWorkflow },
  user_data: { table: 'user_data', key: 'user_data_key', description: `'user data'`, scope: ofWorkflow },
  slurm_configs: { table: 'slurm_configs', key: 'slurm_config_key', description: 'account', scope: ofWorkflow },
  resource_requirements: {
    table: 'resource_requirements',
    key: 'resource_requirements_key',
    description: `'resource requirements'`,
    scope: `${ofWorkflow} AND name IS NOT NULL`,
  },
  schedules: { table: 'schedules', key: 'schedule_key', description: `coalesce(cron, '')`, scope: '1' },
  limits: {
    table: 'limits',
    key: 'name',
    description: `'at most ' || maximum`,
    scope: 'workflow_key IN (0, @workflow)',
  },
};

/** Kinds whose keys people type. */
const keyed: ReadonlySet<Completed> = new Set<Completed>(['workflows', 'jobs', 'slurm_configs']);

/** None where the workflow is not there. */
export function readCandidates(db: Database, request: Request<'candidates'>): Reply<'candidates'> {
  const { kind, prefix } = request;
  const workflow = workflowOf(db, request.workflow);
  const found = keyed.has(kind) ? byKey(db, sources[kind], prefix, workflow) : [];
  found.push(...byName(db, sources[kind], prefix, workflow, mostCandidates - found.length));
  return { candidates: found };
}

/** The newest workflow of that name, or the newest one. */
function workflowOf(db: Database, typed: string | null): number {
  if (typed !== null && /^[1-9][0-9]{0,14}$/.test(typed)) return Number(typed);
  const isAny = typed === null || typed === 'last';
  const found = db.get<{ workflow_key: number }>(
    `SELECT workflow_key FROM workflows WHERE ${sources.workflows.scope} AND (@any OR name = @name)
     ORDER BY workflow_key DESC LIMIT 1`,
    { any: isAny ? 1 : 0, name: typed ?? '' },
  );
  return found?.workflow_key ?? 0;
}

function byName(db: Database, source: Source, prefix: string, workflow: number, limit: number): Candidate[] {
  const { table, description, scope } = source;
  return db.all<{ value: string; description: string }>(
    `SELECT name AS value, ${description} AS description FROM ${table}
     WHERE ${scope} AND name >= @prefix AND name < @after ORDER BY name LIMIT @limit`,
    { ...bound(scope, workflow), prefix, after: `${prefix}\u{10ffff}`, limit },
  );
}

/** 12 begins 12, 120 to 129, 1200 to 1299 and so on: a range for each number of digits. */
function byKey(db: Database, source: Source, prefix: string, workflow: number): Candidate[] {
  if (!/^[1-9][0-9]{0,14}$/.test(prefix)) return [];
  const { table, key, scope } = source;
  const found: Candidate[] = [];
  for (
    let [first, size] = [Number(prefix), 1];
    first < 1e15 && found.length < mostCandidates;
    first *= 10, size *= 10
  ) {
    const rows = db.all<{ key: number; description: string }>(
      `SELECT ${key} AS key, name AS description FROM ${table}
       WHERE ${scope} AND ${key} BETWEEN @first AND @last ORDER BY ${key} LIMIT @limit`,
      { ...bound(scope, workflow), first, last: first + size - 1, limit: mostCandidates - found.length },
    );
    found.push(...rows.map(({ key: value, description }) => ({ value: String(value), description })));
  }
  return found;
}

/** SQLite refuses values that a statement does not name. */
function bound(scope: string, workflow: number): { workflow?: number } {
  return scope.includes('@workflow') ? { workflow } : {};
}
