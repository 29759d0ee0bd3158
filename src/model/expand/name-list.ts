/** Names by number and numbers by name, in little more than the bytes of the names: a million of them as texts take 100 MB. */

const firstBytes = 1 << 12;
const firstNames = 1 << 8;

export class NameList implements Iterable<string> {
  /** Each name in one byte for each character, or in two if one byte does not hold them all. */
  #bytes = Buffer.allocUnsafe(firstBytes);
  /** Where each name ends in the bytes. */
  #ends = new Uint32Array(firstNames);
  readonly #inTwoBytes = new Set<number>();
  #hashes = new Int32Array(firstNames);
  /** A hash table with open addressing: numbers of names plus 1, or 0. */
  #slots = new Int32Array(2 * firstNames);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  at(number: number): string | undefined {
    if (!(number >= 0 && number < this.#length)) return undefined;
    const encoding = this.#inTwoBytes.has(number) ? 'utf16le' : 'latin1';
    return this.#bytes.toString(encoding, this.#start(number), this.#ends[number]);
  }

  [Symbol.iterator](): Generator<string> {
    return this.first(this.#length);
  }

  /** At most `count` names, from the first on. */
  *first(count: number): Generator<string> {
    for (let number = 0; number < Math.min(count, this.#length); number++) yield this.at(number) as string;
  }

  /** Gives a name the next number; of equal names the first one is found. */
  add(name: string): number {
    const number = this.#length;
    this.#grow(2 * name.length);
    const isWide = /[\u0100-\uffff]/.test(name);
    const start = this.#start(number);
    this.#ends[number] = start + this.#bytes.write(name, start, isWide ? 'utf16le' : 'latin1');
    if (isWide) this.#inTwoBytes.add(number);
    const hash = hashOf(name);
    this.#hashes[number] = hash;
    this.#length += 1;
    const slot = this.#slotOf(name, hash);
    if (this.#slots[slot] === 0) this.#slots[slot] = number + 1;
    return number;
  }

  numberOf(name: string): number | undefined {
    const found = this.#slots[this.#slotOf(name, hashOf(name))] ?? 0;
    return found === 0 ? undefined : found - 1;
  }

  /** The slot of a name, or the empty one where it belongs. */
  #slotOf(name: string, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0 || (this.#hashes[number] === hash && this.at(number) === name)) return slot;
    }
  }

  #start(number: number): number {
    return number === 0 ? 0 : (this.#ends[number - 1] as number);
  }

  #grow(moreBytes: number): void {
    const end = this.#start(this.#length);
    if (end + moreBytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, end + moreBytes));
      this.#bytes.copy(larger, 0, 0, end);
      this.#bytes = larger;
    }
    if (this.#length < this.#ends.length) return;
    const numNames = 2 * this.#ends.length;
    const [ends, hashes] = [new Uint32Array(numNames), new Int32Array(numNames)];
    ends.set(this.#ends);
    hashes.set(this.#hashes);
    this.#ends = ends;
    this.#hashes = hashes;
    const numbers = this.#slots.filter((number) => number > 0);
    this.#slots = new Int32Array(2 * numNames);
    const mask = this.#slots.length - 1;
    for (const number of numbers) {
      let slot = (hashes[number - 1] as number) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number;
    }
  }
}

/** Source: FNV-1a over UTF-16 units, with a last mixing because the slots are its lowest bits. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return hash | 0;
}
