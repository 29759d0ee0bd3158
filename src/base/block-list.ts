/** Lists that are visited in order: arrays, and longer ones that are made a block at a time whenever they are visited. */

export interface List<T> extends Iterable<T> {
  readonly length: number;
  at(index: number): T | undefined;
  entries(): Iterable<[number, T]>;
  map<U>(make: (element: T, index: number) => U): List<U>;
}

/** Keeps the block that was visited last. `make` gives the elements of a block, the same each time. */
export class BlockList<T> implements List<T> {
  readonly length: number;
  readonly #blockLength: number;
  readonly #make: (block: number) => readonly T[];
  #last: { block: number; elements: readonly T[] } = { block: -1, elements: [] };

  constructor(length: number, blockLength: number, make: (block: number) => readonly T[]) {
    this.length = length;
    this.#blockLength = blockLength;
    this.#make = make;
  }

  at(index: number): T | undefined {
    return this.#elements(Math.floor(index / this.#blockLength))[index % this.#blockLength];
  }

  *blocks(): Generator<readonly T[]> {
    const numBlocks = Math.ceil(this.length / this.#blockLength);
    for (let block = 0; block < numBlocks; block++) yield this.#elements(block);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const elements of this.blocks()) yield* elements;
  }

  *entries(): Generator<[number, T]> {
    let index = 0;
    for (const element of this) {
      yield [index, element];
      index += 1;
    }
  }

  map<U>(make: (element: T, index: number) => U): BlockList<U> {
    return new BlockList(this.length, this.#blockLength, (block) => {
      const first = block * this.#blockLength;
      return this.#elements(block).map((element, i) => make(element, first + i));
    });
  }

  #elements(block: number): readonly T[] {
    if (this.#last.block !== block) this.#last = { block, elements: this.#make(block) };
    return this.#last.elements;
  }
}
