/** What attempts have used, collected in a transaction and added to the roll-up once at its end. */
import { addValue, emptySketch, readSketch, type Sketch, sketchText } from '../../model/usage.ts';
import type { Database } from './database.ts';

export interface Use {
  workflowKey: number;
  stem: string;
  shapeKey: number;
  cause: string;
  memoryBytes: number | null;
  /** Thousandths of CPUs, on average. */
  cpuThousandths: number | null;
  runtimeMs: number;
}

/** Beyond these, names of other forms are rolled up together. */
const mostStems = 1000;
export const otherStems = '(others)';

interface Row {
  num_oom: number;
  num_timeouts: number;
  memory: string;
  cpus: string;
  runtime: string;
}

interface Sum {
  shapeKey: number;
  numOom: number;
  numTimeouts: number;
  memory: Sketch;
  cpus: Sketch;
  runtime: Sketch;
}

export class UsageRollUp {
  readonly #db: Database;
  readonly #uses: Use[] = [];

  constructor(db: Database) {
    this.#db = db;
  }

  add(use: Use): void {
    this.#uses.push(use);
  }

  /** Remembers what is collected; the returned function restores that. */
  mark(): () => void {
    const { length } = this.#uses;
    return () => {
      this.#uses.length = length;
    };
  }

  /** One read and one write for each form of names, however many attempts there were. */
  finish(): void {
    const groups = new Map<string, [Use, ...Use[]]>();
    for (const use of this.#uses) {
      const group = groups.get(`${use.workflowKey} ${use.stem}`);
      if (group === undefined) groups.set(`${use.workflowKey} ${use.stem}`, [use]);
      else group.push(use);
    }
    this.#uses.length = 0;
    for (const group of groups.values()) this.#store(group);
  }

  #store(uses: readonly [Use, ...Use[]]): void {
    const [{ workflowKey, stem: own }] = uses;
    const stem = this.#find(workflowKey, own) !== undefined || this.#hasRoom(workflowKey) ? own : otherStems;
    const sum = sumOf(this.#find(workflowKey, stem));
    for (const { shapeKey, cause, memoryBytes, cpuThousandths, runtimeMs } of uses) {
      sum.shapeKey = shapeKey;
      if (cause === 'oom') sum.numOom += 1;
      if (cause === 'job_timeout') sum.numTimeouts += 1;
      if (memoryBytes !== null) addValue(sum.memory, memoryBytes);
      if (cpuThousandths !== null) addValue(sum.cpus, cpuThousandths);
      addValue(sum.runtime, runtimeMs);
    }
    this.#db.run(
      `INSERT INTO usage (workflow_key, stem, shape_key, num_oom, num_timeouts, memory, cpus, runtime)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET shape_key = excluded.shape_key,
       num_oom = excluded.num_oom, num_timeouts = excluded.num_timeouts, memory = excluded.memory, cpus = excluded.cpus,
       runtime = excluded.runtime`,
      workflowKey,
      stem,
      sum.shapeKey,
      sum.numOom,
      sum.numTimeouts,
      sketchText(sum.memory),
      sketchText(sum.cpus),
      sketchText(sum.runtime),
    );
  }

  #find(workflowKey: number, stem: string): Row | undefined {
    return this.#db.get<Row>(
      'SELECT num_oom, num_timeouts, memory, cpus, runtime FROM usage WHERE workflow_key = ? AND stem = ?',
      workflowKey,
      stem,
    );
  }

  #hasRoom(workflowKey: number): boolean {
    const sql = `SELECT 1 FROM usage WHERE workflow_key = ? LIMIT 1 OFFSET ${mostStems - 1}`;
    return this.#db.get(sql, workflowKey) === undefined;
  }
}

function sumOf(row: Row | undefined): Sum {
  return {
    shapeKey: 0,
    numOom: row?.num_oom ?? 0,
    numTimeouts: row?.num_timeouts ?? 0,
    memory: row === undefined ? emptySketch() : readSketch(row.memory),
    cpus: row === undefined ? emptySketch() : readSketch(row.cpus),
    runtime: row === undefined ? emptySketch() : readSketch(row.runtime),
  };
}
