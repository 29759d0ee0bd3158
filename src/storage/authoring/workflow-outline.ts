/** What the jobs of a stored workflow are, page by page, for the comparison with a specification. */
import type { Reply, Request } from '../../api/contract.ts';
import { type JobFacts, jobIdentity, SettingsDigests, setHash } from '../../model/decide/job-outline.ts';
import type { Transaction } from '../database/transaction.ts';
import { readLaunch } from '../running/launch.ts';
import { getWorkflow } from '../running/workflows.ts';
import { isChildSql } from './added-jobs.ts';
import { exportedJobs, jobSettings } from './workflow-export.ts';

type Facts = Omit<JobFacts, 'command' | 'identity' | 'invocationScript' | 'launch'>;

/** Jobs in stored order without those that running jobs have added, with what belongs to each read in as few walks as there are tables. */
export function outlinePage(tx: Transaction, request: Request<'workflow_outline'>): Reply<'workflow_outline'> {
  const { workflowKey } = getWorkflow(tx, Number(request.workflow_key));
  const page = { after: Number(request.after ?? 0), limit: request.limit };
  const rows = exportedJobs(tx, workflowKey, { ...page, only: `NOT ${isChildSql('j.job_key')}` });
  const [first, last] = [rows[0]?.job_key ?? 0, rows.at(-1)?.job_key ?? -1];
  const facts = new FactsOfJobs(tx, first, last);
  const digests = new SettingsDigests();
  return {
    jobs: rows.map((row) => [
      String(row.job_key),
      row.name,
      jobIdentity({
        command: row.command,
        identity: row.identity,
        invocationScript: row.invocation_script,
        launch: readLaunch(row.launch),
        ...facts.of(row.job_key),
      }),
      digests.of(jobSettings(tx, row)),
    ]),
    more: rows.length === request.limit,
  };
}

type Lists = { [K in keyof Facts]: Facts[K][number][] };

class FactsOfJobs {
  readonly #found = new Map<number, Lists>();
  readonly #sets = new Map<number, string>();

  constructor(tx: Transaction, first: number, last: number) {
    for (const [job, isOutput, name, path] of tx.db.rows<[number, number, string, string]>(
      `SELECT u.job_key, u.is_output, f.name, f.path FROM job_files u JOIN files f ON f.file_key = u.file_key
       WHERE u.job_key BETWEEN ? AND ?`,
      first,
      last,
    )) {
      this.#listsOf(job)[isOutput === 1 ? 'outputFiles' : 'inputFiles'].push([name, path]);
    }
    for (const [job, isOutput, name] of tx.db.rows<[number, number, string]>(
      `SELECT u.job_key, u.is_output, d.name FROM job_user_data u JOIN user_data d ON d.user_data_key = u.user_data_key
       WHERE u.job_key BETWEEN ? AND ?`,
      first,
      last,
    )) {
      this.#listsOf(job)[isOutput === 1 ? 'outputUserData' : 'inputUserData'].push(name);
    }
    const barriers: [number, number][] = [];
    for (const [job, upstream, name] of tx.db.rows<[number, number, string | null]>(
      `SELECT e.downstream, e.upstream, j.name FROM edges e LEFT JOIN jobs j ON j.job_key = e.upstream
       WHERE e.downstream BETWEEN ? AND ? AND NOT ${isChildSql('e.upstream')}`,
      first,
      last,
    )) {
      if (name !== null) this.#listsOf(job).upstreams.push(name);
      else barriers.push([job, upstream]);
    }
    for (const [job, barrier] of barriers) this.#listsOf(job).sets.push(this.#setOf(tx, barrier));
  }

  of(jobKey: number): Facts {
    return this.#found.get(jobKey) ?? noLists();
  }

  #listsOf(jobKey: number): Lists {
    const known = this.#found.get(jobKey);
    if (known !== undefined) return known;
    const made = noLists();
    this.#found.set(jobKey, made);
    return made;
  }

  #setOf(tx: Transaction, barrier: number): string {
    const known = this.#sets.get(barrier);
    if (known !== undefined) return known;
    const sql = 'SELECT j.name FROM edges e JOIN jobs j ON j.job_key = e.upstream WHERE e.downstream = ?';
    const hash = setHash(tx.db.all<{ name: string }>(sql, barrier).map(({ name }) => name));
    this.#sets.set(barrier, hash);
    return hash;
  }
}

function noLists(): Lists {
  return { inputFiles: [], outputFiles: [], inputUserData: [], outputUserData: [], upstreams: [], sets: [] };
}
