/** What attempts have used, collected in a transaction and added to the roll-up once at its end. */
import { addValue, emptySketch, readSketch, type Sketch, sketchText } from '../../model/usage.ts';
import type { Database } from './database.ts';
import type { Mirror } from './mirrors.ts';

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

/** What is kept in memory of the roll-up: rows that transactions have changed lately, so that none is read twice. */
interface Kept {
  sums: Map<string, Sum>;
  /** Workflows without room for further forms of names. */
  full: Set<number>;
}

/** One for the whole database, under the key 0. */
const kept: Mirror<Database, Kept> = { load: () => ({ sums: new Map(), full: new Set() }) };

/** Beyond these, all are forgotten and read again: they take a few kilobytes each. */
const mostKept = 500;

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

  /** One write for each form of names, however many attempts there were; a read where it is not in memory. */
  finish(): void {
    const groups = new Map<string, [Use, ...Use[]]>();
    for (const use of this.#uses) {
      const id = idOf(use.workflowKey, use.stem);
      const group = groups.get(id);
      if (group === undefined) groups.set(id, [use]);
      else group.push(use);
    }
    this.#uses.length = 0;
    for (const group of groups.values()) this.#store(group);
  }

  #store(uses: readonly [Use, ...Use[]]): void {
    const [{ workflowKey, stem: own }] = uses;
    const memory = this.#db.mirrors.get(kept, 0);
    let stem = own;
    let sum = this.#find(memory, workflowKey, stem);
    if (sum === undefined && !this.#hasRoom(memory, workflowKey)) {
      stem = otherStems;
      sum = this.#find(memory, workflowKey, stem);
    }
    sum ??= keep(memory, workflowKey, stem, sumOf(undefined));
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

  /** What has been rolled up so far: as kept, else as stored. */
  #find(memory: Kept, workflowKey: number, stem: string): Sum | undefined {
    const known = memory.sums.get(idOf(workflowKey, stem));
    if (known !== undefined) return known;
    const row = this.#db.get<Row>(
      'SELECT num_oom, num_timeouts, memory, cpus, runtime FROM usage WHERE workflow_key = ? AND stem = ?',
      workflowKey,
      stem,
    );
    return row === undefined ? undefined : keep(memory, workflowKey, stem, sumOf(row));
  }

  #hasRoom({ full }: Kept, workflowKey: number): boolean {
    if (full.has(workflowKey)) return false;
    const sql = `SELECT 1 FROM usage WHERE workflow_key = ? LIMIT 1 OFFSET ${mostStems - 1}`;
    const hasRoom = this.#db.get(sql, workflowKey) === undefined;
    if (!hasRoom) full.add(workflowKey);
    return hasRoom;
  }
}

function idOf(workflowKey: number, stem: string): string {
  return `${workflowKey} ${stem}`;
}

function keep({ sums }: Kept, workflowKey: number, stem: string, sum: Sum): Sum {
  if (sums.size >= mostKept) sums.clear();
  sums.set(idOf(workflowKey, stem), sum);
  return sum;
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
