/**
 * What is kept in memory of rows, so that hot paths need not read them again. Whoever changes such rows follows in the
 * same transaction, or forgets. Everything that a transaction has looked at or changed is forgotten when any of it is
 * rolled back, and read again when it is next needed.
 */

/** One kind of memory: how it is read from the database, by the key of what it is about. */
export interface Mirror<Db, T> {
  load: (db: Db, key: number) => T;
}

export class Mirrors<Db> {
  readonly #db: Db;
  readonly #kept = new Map<Mirror<Db, unknown>, Map<number, unknown>>();
  readonly #touched = new Map<Mirror<Db, unknown>, Set<number>>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** What is known, read now unless it is already known. */
  get<T>(mirror: Mirror<Db, T>, key: number): T {
    const known = this.change(mirror, key);
    if (known !== undefined) return known;
    const loaded = mirror.load(this.#db, key);
    const kept = this.#kept.get(mirror) ?? new Map<number, unknown>();
    this.#kept.set(mirror, kept.set(key, loaded));
    this.#touch(mirror, key);
    return loaded;
  }

  /** What is known, to be changed like the rows; undefined when nothing has to follow. */
  change<T>(mirror: Mirror<Db, T>, key: number): T | undefined {
    const known = this.#kept.get(mirror)?.get(key) as T | undefined;
    if (known !== undefined) this.#touch(mirror, key);
    return known;
  }

  #touch(mirror: Mirror<Db, unknown>, key: number): void {
    const keys = this.#touched.get(mirror);
    if (keys === undefined) this.#touched.set(mirror, new Set([key]));
    else keys.add(key);
  }

  /** What is known, to look at outside of transactions. */
  peek<T>(mirror: Mirror<Db, T>): ReadonlyMap<number, T> {
    return (this.#kept.get(mirror) ?? new Map()) as ReadonlyMap<number, T>;
  }

  forget(mirror: Mirror<Db, unknown>, key: number): void {
    this.#kept.get(mirror)?.delete(key);
  }

  /** The transaction is stored. */
  committed(): void {
    this.#touched.clear();
  }

  /** The transaction or a part of it was rolled back. */
  rolledBack(): void {
    for (const [mirror, keys] of this.#touched) {
      for (const key of keys) this.forget(mirror, key);
    }
    this.#touched.clear();
  }

  clear(): void {
    this.#kept.clear();
    this.#touched.clear();
  }
}
