/** What happens at instants, in their order; at the same instant in the order in which it was added. */

interface Entry<E> {
  at: number;
  number: number;
  event: E;
}

export class EventQueue<E> {
  readonly #heap: Entry<E>[] = [];
  #added = 0;

  add(at: number, event: E): void {
    const heap = this.#heap;
    const entry = { at, number: this.#added, event };
    this.#added += 1;
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry<E>)) break;
      heap[place] = heap[parent] as Entry<E>;
      place = parent;
    }
    heap[place] = entry;
  }

  /** The next one; null when there is none. */
  first(): { at: number; event: E } | null {
    return this.#heap[0] ?? null;
  }

  /** Removes the next one; null when there is none. */
  take(): { at: number; event: E } | null {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(entry: Entry<E>): void {
    const heap = this.#heap;
    let place = 0;
    for (let child = 1; child < heap.length; child = 2 * place + 1) {
      const right = child + 1;
      if (right < heap.length && isBefore(heap[right] as Entry<E>, heap[child] as Entry<E>)) child = right;
      if (!isBefore(heap[child] as Entry<E>, entry)) break;
      heap[place] = heap[child] as Entry<E>;
      place = child;
    }
    heap[place] = entry;
  }
}

function isBefore<E>(a: Entry<E>, b: Entry<E>): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}
