/** What an added job reads and writes: files and user data by name, listed or named in its texts. */
import type { AddedJob } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Direction, substitute } from '../../model/expand/variables.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Transaction } from '../database/transaction.ts';
import { unknownName } from './named-parts.ts';
import { fileWithPath, type StoredFile } from './same-path.ts';

export type UsedKind = 'files' | 'user_data';

interface Uses {
  input: Set<number>;
  output: Set<number>;
}

export class JobUses {
  readonly files: Uses = { input: new Set(), output: new Set() };
  readonly user_data: Uses = { input: new Set(), output: new Set() };
  /** The job's texts with the paths of files in them. */
  readonly command: string;
  readonly invocationScript: string | null;
  readonly #tx: Transaction;
  readonly #workflowKey: number;
  readonly #jobName: string;

  /** Throws TorcError 'not_found' for a name that the workflow does not have, 'usage' for one that is read and written. */
  constructor(tx: Transaction, workflowKey: number, job: AddedJob) {
    this.#tx = tx;
    this.#workflowKey = workflowKey;
    this.#jobName = job.name;
    for (const name of job.input_files) this.#useFile('input', name);
    for (const name of job.output_files) this.#useFile('output', name);
    for (const name of job.input_user_data) this.#useUserData('input', name);
    for (const name of job.output_user_data) this.#useUserData('output', name);
    this.command = this.#substituted(job.command);
    this.invocationScript = job.invocation_script === null ? null : this.#substituted(job.invocation_script);
  }

  #substituted(text: string): string {
    return substitute(text, {
      file: (direction, name) => this.#useFile(direction, name),
      userData: (direction, name) => this.#useUserData(direction, name),
      refuse: (message) => {
        throw new TorcError(
          'usage',
          `job ${quoted(this.#jobName)}: ${message}`,
          'See torc files list and torc user-data list.',
        );
      },
    });
  }

  /** Returns the file's path. */
  #useFile(direction: Direction, name: string): string {
    const named = this.#tx.db.get<StoredFile & { is_used: number }>(
      `SELECT file_key, name, path, EXISTS (SELECT 1 FROM job_files u WHERE u.file_key = f.file_key) AS is_used
       FROM files f WHERE workflow_key = ? AND name = ?`,
      this.#workflowKey,
      name,
    );
    if (named === undefined) throw unknownName(this.#tx, this.#workflowKey, 'file', name);
    // what jobs use is the first file of its path
    const file = named.is_used === 1 ? named : (fileWithPath(this.#tx, this.#workflowKey, named.path) ?? named);
    this.#note(this.files, direction, file.file_key, `file ${quoted(file.name)}`);
    return named.path;
  }

  #useUserData(direction: Direction, name: string): void {
    const userData = this.#tx.db.get<{ user_data_key: number }>(
      'SELECT user_data_key FROM user_data WHERE workflow_key = ? AND name = ?',
      this.#workflowKey,
      name,
    );
    if (userData === undefined) throw unknownName(this.#tx, this.#workflowKey, 'user_data', name);
    this.#note(this.user_data, direction, userData.user_data_key, `user data ${quoted(name)}`);
  }

  #note(uses: Uses, direction: Direction, key: number, what: string): void {
    uses[direction].add(key);
    if (!uses.input.has(key) || !uses.output.has(key)) return;
    throw new TorcError(
      'usage',
      `the job ${quoted(this.#jobName)} both reads and writes the ${what}, so it would wait for itself`,
    );
  }
}
