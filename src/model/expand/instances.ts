/**
 * A list of the specification with its sweeps written out. Only the names are kept; every other text of an instance is
 * made on demand, so that a sweep of a million jobs needs no more memory than their names.
 */

import type { List } from '../../base/block-list.ts';
import { quoted } from '../spec/names.ts';
import { mostInstances, ParameterProblem, type Sweep } from '../spec/parameters.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { NameTable } from './name-table.ts';
import { Template } from './template.ts';

/** How long all texts of a list may be, written out. */
const mostCharacters = 8_000_000_000;

/** One element as it is written, ready to be instantiated. */
export interface Element {
  path: SpecPath;
  writtenName: string;
  name: Template;
  sweep: Sweep | null;
  /** How long its texts are together. */
  numCharacters: number;
  /** Instances with the same name must be equal in these; their references are merged. */
  identity: readonly { key: string; template: Template }[];
}

const mayBeTemplate = /[{$]/;

/** The template of a text; a problem with it becomes a finding, and the text stays unchanged. */
export function templateOf(
  text: string,
  sweep: Sweep | null,
  isFactory: boolean,
  path: SpecPath,
  findings: Findings,
): Template {
  try {
    return Template.of(text, sweep, isFactory);
  } catch (error) {
    if (!(error instanceof ParameterProblem)) throw error;
    findings.add(path, () => error.message);
    return Template.of(text, null);
  }
}

/** All instances of the elements of one list, numbered in the order in which they are written. */
export class Instances<E extends Element> {
  readonly table: NameTable;
  readonly elements: List<E>;
  /** For each number the element, and the instance of its sweep. */
  #elementOf: Int32Array;
  #instanceOf: Int32Array;
  /** Further instances under the same name, which became one. */
  readonly #merged = new Map<number, number[]>();
  /** Without those whose names cannot be written in another way than they are. */
  readonly #byWrittenName = new Map<string, number>();
  readonly #groups = new Map<string, Map<string, number[]>>();

  constructor(table: NameTable, elements: List<E>) {
    this.table = table;
    this.elements = elements;
    this.#elementOf = new Int32Array(Math.min(elements.length, mostInstances));
    this.#instanceOf = new Int32Array(this.#elementOf.length);
    let numCharacters = 0;
    for (const [i, element] of elements.entries()) {
      const { writtenName, sweep } = element;
      if ((sweep !== null || mayBeTemplate.test(writtenName)) && !this.#byWrittenName.has(writtenName)) {
        this.#byWrittenName.set(writtenName, i);
      }
      if (sweep !== null) table.writtenNames.push(writtenName);
      const count = sweep?.count ?? 1;
      numCharacters += count * element.numCharacters;
      const tooMany = this.length + count > mostInstances ? `${mostInstances} ${table.list}` : null;
      const tooLong = numCharacters > mostCharacters ? `${mostCharacters} characters of ${table.list}` : null;
      if (tooMany !== null || tooLong !== null) {
        const message = `with this there are more than ${tooMany ?? tooLong}, which is the limit`;
        table.findings.add(element.path, () => message);
        return;
      }
      this.#expand(element, i);
    }
  }

  get length(): number {
    return this.table.names.length;
  }

  nameOf(number: number): string {
    return this.table.names.at(number) ?? '';
  }

  elementOf(number: number): E {
    return this.elements.at(this.#elementOf[number] ?? 0) as E;
  }

  /** The instance that gives a number its texts. */
  instanceOf(number: number): number {
    return this.#instanceOf[number] ?? 0;
  }

  /** All instances under the name of a number; most have one. */
  instancesOf(number: number): readonly number[] {
    return [this.instanceOf(number), ...(this.#merged.get(number) ?? [])];
  }

  isMerged(number: number): boolean {
    return this.#merged.has(number);
  }

  /** Makes room for so many more instances. */
  #grow(count: number): void {
    const length = this.length + count;
    if (length <= this.#elementOf.length) return;
    const [elementOf, instanceOf] = [this.#elementOf, this.#instanceOf];
    this.#elementOf = new Int32Array(Math.max(length, 2 * elementOf.length));
    this.#instanceOf = new Int32Array(this.#elementOf.length);
    this.#elementOf.set(elementOf);
    this.#instanceOf.set(instanceOf);
  }

  #expand(element: E, i: number): void {
    const count = element.sweep?.count ?? 1;
    this.#grow(count);
    for (let instance = 0; instance < count; instance++) {
      const name = element.name.at(instance);
      const first = this.table.numberOf(name);
      if (first !== undefined && this.#elementOf[first] === i && element.sweep !== null) {
        this.#merge(element, first, instance);
        continue;
      }
      if (first !== undefined) this.table.refuseRepeated(name, i, this.#elementOf[first] ?? 0);
      const number = this.table.add(name);
      this.#elementOf[number] = i;
      this.#instanceOf[number] = instance;
    }
  }

  #merge(element: E, number: number, instance: number): void {
    const first = this.instanceOf(number);
    const different = element.identity.find(({ template }) => template.at(first) !== template.at(instance));
    if (different === undefined) {
      const merged = this.#merged.get(number);
      if (merged === undefined) this.#merged.set(number, [instance]);
      else merged.push(instance);
      return;
    }
    this.table.findings.addOnce([...element.path, 'name'], `${number} ${instance}`, () => {
      const { key, template } = different;
      const both = `${key} ${quoted(template.at(first))} and ${quoted(template.at(instance))}`;
      return `the sweep makes two different ${this.table.list} named ${quoted(this.nameOf(number))}: ${both}`;
    });
  }

  /**
   * What a text of an instance refers to: one number, or all instances of a sweep by its written name, unless parameters
   * of the referring sweep choose among them. Null when nothing has that name.
   */
  refer(template: Template, instance: number): number | readonly number[] | null {
    const name = template.at(instance);
    const number = this.table.numberOf(name);
    if (number !== undefined) return number;
    const i = this.#byWrittenName.get(template.written);
    if (i === undefined || this.elements.at(i)?.sweep === null) return null;
    return this.#group(i, template).get(template.isConstant ? '' : name) ?? null;
  }

  /** The numbers of an element by its name in which only the parameters of the referring text are replaced. */
  #group(i: number, template: Template): ReadonlyMap<string, readonly number[]> {
    const replaced = new Set(template.parameters);
    const key = JSON.stringify([i, ...[...replaced].sort()]);
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const groups = new Map<string, number[]>();
    this.#groups.set(key, groups);
    const { name } = this.elements.at(i) as E;
    const first = this.#elementOf.indexOf(i);
    for (let number = first; number < this.length && this.#elementOf[number] === i; number++) {
      const part = replaced.size === 0 ? '' : name.partlyAt(this.instanceOf(number), replaced);
      const group = groups.get(part);
      if (group === undefined) groups.set(part, [number]);
      else group.push(number);
    }
    return groups;
  }
}
