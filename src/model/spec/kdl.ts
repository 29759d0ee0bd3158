/**
 * KDL 2: nodes for what other syntaxes write as keys. `job "n" { command ".." }` adds to the list `jobs`, `input_file
 * "x"` to the list `input_files` of its job, `file "n" path=".."` writes keys next to the name. The result is the
 * document that YAML would give, which the same schema checks.
 */

import { type Document, Entry, getLocation, InvalidKdlError, type Node, parse } from '@bgotink/kdl';
import { parseJson, writtenNumber } from '../../base/exact-json.ts';
import { type Shape, workflow } from './kdl-shape.ts';
import { quoted } from './names.ts';
import { positionsOf } from './places.ts';
import type { Place } from './problems.ts';
import { type Fault, type ReadDocument, throwFaults, withinDepth } from './source.ts';

/** The library is slow: larger workflows must be written as JSON. */
const mostCharacters = 8 * 1024 * 1024;

/** The document of a KDL text; throws SpecError with its faults. */
export function readKdl(text: string, file: string): ReadDocument {
  const reading = new Reading();
  const document = parsed(text, reading.faults);
  throwFaults(reading.faults, text, file);
  const value = document === null ? null : reading.document(document);
  throwFaults(reading.faults, text, file);
  return {
    value,
    where(places) {
      return positionsOf(
        text,
        places.map((place) => reading.offsetOf(place, value)),
      );
    },
  };
}

function parsed(text: string, faults: Fault[]): Document | null {
  if (text.length > mostCharacters) {
    faults.push({ offset: 0, message: 'this KDL is too large: write the workflow as JSON' });
    return null;
  }
  try {
    return parse(text, { storeLocations: true });
  } catch (error) {
    if (!(error instanceof InvalidKdlError)) throw error;
    for (const { message, start } of error.flat()) {
      faults.push({ offset: start?.offset ?? 0, message: plainer(message) });
    }
    return null;
  }
}

/** The library's message without the position that it may carry, beginning in lower case like ours. */
function plainer(message: string): string {
  if (message.includes('Maximum call stack')) return `is nested deeper than ${withinDepth} levels`;
  if (/^Invalid node children.* at end of input$/.test(message)) return 'the text ends inside braces';
  const text = (message.split('\n')[0] ?? '').replace(/ at (?:[0-9]+:[0-9]+|end of input)$/, '').slice(0, 200);
  return text.charAt(0).toLowerCase() + text.slice(1);
}

type Mapping = Record<string, unknown>;
interface Offsets {
  key: number;
  value: number;
}

class Reading {
  readonly faults: Fault[] = [];
  /** Where the members of each object and list stand. */
  readonly #offsets = new Map<object, Map<string | number, Offsets>>();

  document(document: Document): Mapping | null {
    return document.nodes.length === 0 ? null : this.#object(document.nodes, workflow, {}, 0);
  }

  offsetOf({ path, at }: Place, top: unknown): number {
    let offset = 0;
    let value = top;
    for (const [depth, part] of path.entries()) {
      if (typeof value !== 'object' || value === null) return offset;
      const found = this.#offsets.get(value)?.get(part);
      if (found === undefined) return offset;
      offset = at === 'key' && depth === path.length - 1 ? found.key : found.value;
      value = (value as Record<string | number, unknown>)[part];
    }
    return offset;
  }

  #object(nodes: readonly Node[], shape: Shape, into: Mapping, depth: number): Mapping {
    for (const node of nodes) {
      const name = node.getName();
      if (depth > withinDepth) {
        this.#refuse(node, `is nested deeper than ${withinDepth} levels`);
        break;
      }
      const object = own(shape.objects, name) ?? Object.values(shape.objects ?? {}).find(({ list }) => list === name);
      const list = own(shape.lists, name);
      const single = own(shape.single, name);
      if (object !== undefined) this.#push(into, object.list, this.#element(node, object.shape, depth), node);
      else if (list !== undefined) this.#addAll(into, list, node);
      else if (single !== undefined) this.#set(into, name, this.#single(node, single, depth), node);
      else if (shape.json?.includes(name))
        this.#set(into, name, this.#fromJson(name, this.#free(node, depth), node), node);
      else this.#set(into, name, this.#free(node, depth), node);
    }
    return into;
  }

  /** An element of a list: its name, keys next to the name, keys in braces. */
  #element(node: Node, shape: Shape, depth: number): Mapping {
    const element: Mapping = {};
    const [name, ...more] = argumentsOf(node);
    if (name !== undefined) this.#setAt(element, 'name', name.getValue(), offsetsOf(name));
    for (const entry of more) this.#refuse(entry, `a second name for ${quoted(node.getName())}`);
    return this.#rest(node, shape, element, depth);
  }

  #single(node: Node, shape: Shape, depth: number): Mapping {
    for (const entry of argumentsOf(node)) this.#refuse(entry, `${quoted(node.getName())} has its values in braces`);
    return this.#rest(node, shape, {}, depth);
  }

  #rest(node: Node, shape: Shape, into: Mapping, depth: number): Mapping {
    for (const entry of node.entries) {
      const key = entry.getName();
      if (key === null) continue;
      const list = own(shape.lists, key);
      const value = readEntry(entry);
      if (list !== undefined) this.#push(into, list, value, entry);
      else {
        const read = shape.json?.includes(key) ? this.#fromJson(key, value, entry) : value;
        this.#setAt(into, key, read, offsetsOf(entry), entry);
      }
    }
    return this.#object(node.children?.nodes ?? [], shape, into, depth + 1);
  }

  /** A node without its own shape: one argument is a value, several are a list, braces are a mapping. */
  #free(node: Node, depth: number): unknown {
    const values = argumentsOf(node);
    const hasProperties = node.entries.length > values.length;
    const children = node.children?.nodes ?? [];
    if (values.length > 0 && (hasProperties || node.children !== null)) {
      this.#refuse(node, `${quoted(node.getName())} has both a value and keys`);
    }
    if (values.length === 0 && !hasProperties && children.length > 0 && children.every((c) => c.getName() === '-')) {
      return depth > withinDepth ? [] : this.#list(children, depth);
    }
    if (hasProperties || node.children !== null) return this.#rest(node, {}, {}, depth);
    if (values.length === 1) return readEntry(values[0] as Entry);
    if (values.length === 0) return null;
    const list: unknown[] = [];
    for (const entry of values) this.#append(list, readEntry(entry), entry);
    return list;
  }

  /** `- 1` and so on, one for each element. */
  #list(nodes: readonly Node[], depth: number): unknown[] {
    const list: unknown[] = [];
    for (const node of nodes) this.#append(list, this.#free(node, depth + 1), node);
    return list;
  }

  /** A text of user data is JSON; that of metadata only if it looks like JSON, else it is plain text. */
  #fromJson(key: string, value: unknown, at: Node | Entry): unknown {
    if (typeof value !== 'string') return value;
    try {
      return parseJson(value);
    } catch {
      if (key === 'metadata' && !/^\s*[[{]/.test(value)) return value;
      const written = at instanceof Entry ? at : (argumentsOf(at)[0] ?? at);
      const message = `${quoted(value)} is not JSON; a text in KDL is written as "\\"text\\""`;
      this.faults.push({ offset: offsetsOf(written).value, message });
      return value;
    }
  }

  #addAll(into: Mapping, list: string, node: Node): void {
    for (const entry of argumentsOf(node)) this.#push(into, list, readEntry(entry), entry);
    const others = node.entries.find((entry) => entry.getName() !== null) ?? node.children?.nodes[0];
    if (others !== undefined) this.#refuse(others, `${quoted(node.getName())} is a list of values`);
    if (!Object.hasOwn(into, list)) this.#setAt(into, list, [], offsetsOf(node));
  }

  #push(into: Mapping, list: string, value: unknown, at: Node | Entry): void {
    if (!Object.hasOwn(into, list)) this.#setAt(into, list, [], offsetsOf(at));
    const elements = into[list];
    if (Array.isArray(elements)) this.#append(elements, value, at);
    else this.#refuse(at, `${quoted(list)} appears twice`);
  }

  #append(list: unknown[], value: unknown, at: Node | Entry): void {
    this.#note(list, list.length, offsetsOf(at));
    list.push(value);
  }

  #set(into: Mapping, key: string, value: unknown, node: Node): void {
    const [first] = argumentsOf(node);
    const offsets = { key: offsetsOf(node).key, value: offsetsOf(first ?? node).value };
    this.#setAt(into, key, value, offsets, node);
  }

  #setAt(into: Mapping, key: string, value: unknown, offsets: Offsets, at: Node | Entry | null = null): void {
    if (at !== null && Object.hasOwn(into, key)) this.#refuse(at, `${quoted(key)} appears twice`);
    // a plain assignment would treat `__proto__` specially
    Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
    this.#note(into, key, offsets);
  }

  #note(container: object, part: string | number, offsets: Offsets): void {
    const known = this.#offsets.get(container);
    if (known === undefined) this.#offsets.set(container, new Map([[part, offsets]]));
    else known.set(part, offsets);
  }

  #refuse(at: Node | Entry, message: string): void {
    this.faults.push({ offset: offsetsOf(at).key, message });
  }
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

function readEntry(entry: Entry): unknown {
  const value = entry.getValue();
  return typeof value === 'number' ? writtenNumber(value, entry.value.representation) : value;
}

function argumentsOf(node: Node): Entry[] {
  return node.entries.filter((entry) => entry.getName() === null);
}

function offsetsOf(at: Node | Entry): Offsets {
  const key = getLocation(at)?.start.offset ?? 0;
  const value = 'value' in at ? (getLocation(at.value)?.start.offset ?? key) : key;
  return { key, value };
}
