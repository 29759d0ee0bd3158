/** In which order jobs declare what they wait for, where that is not the order in which the jobs are stored. */

type Group = readonly number[];

export class UpstreamOrders {
  /** By job: runs of successive jobs, the first and how many. */
  readonly runs = new Map<number, [number, number][]>();
  readonly #ascending = new WeakMap<Group, boolean>();

  note(job: number, declared: readonly (number | Group)[]): void {
    if (this.#ascend(declared)) return;
    const ordered = new Set(declared.flat());
    ordered.delete(job);
    const runs: [number, number][] = [];
    let last: [number, number] | undefined;
    let isAscending = true;
    for (const upstream of ordered) {
      if (last !== undefined && upstream < last[0] + last[1]) isAscending = false;
      if (last !== undefined && last[0] + last[1] === upstream) last[1] += 1;
      else {
        last = [upstream, 1];
        runs.push(last);
      }
    }
    if (!isAscending) this.runs.set(job, runs);
  }

  /** Whether the parts ascend, each in itself and one after the other. */
  #ascend(declared: readonly (number | Group)[]): boolean {
    let before = -1;
    for (const part of declared) {
      const first = typeof part === 'number' ? part : (part[0] ?? Number.POSITIVE_INFINITY);
      if (first <= before || (typeof part !== 'number' && !this.#ascends(part))) return false;
      before = typeof part === 'number' ? part : (part.at(-1) ?? before);
    }
    return true;
  }

  #ascends(group: Group): boolean {
    const known = this.#ascending.get(group);
    if (known !== undefined) return known;
    const found = group.every((job, at) => at === 0 || job > (group[at - 1] as number));
    this.#ascending.set(group, found);
    return found;
  }
}
