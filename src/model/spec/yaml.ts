/**
 * YAML 1.2 (core schema) through the yaml library, with limits that the library does not have: nesting and size are
 * bounded, duplicate keys are found in linear time, custom tags are refused, aliases cannot multiply. Of a document with
 * many jobs, the library reads only what is not plain.
 */

import { Composer, type CST, type Document, isAlias, isMap, isScalar, isSeq, Lexer, type Node, Parser } from 'yaml';
import { writtenNumber } from '../../base/exact-json.ts';
import { quoted } from './names.ts';
import { positionsOf } from './places.ts';
import { type Place, shownProblems } from './problems.ts';
import { type Fault, type ReadDocument, throwFaults, withinDepth } from './source.ts';
import { YamlJobs } from './yaml-jobs.ts';

/** The most tokens that the library is given, because it keeps all of them in memory. */
const mostTokens = 4_000_000;

/** The most values that aliases may multiply a document to. */
const mostValues = 5_000_000;

/** The fewest jobs that are worth reading a few at a time. */
const manyJobs = 1000;

/** The value of a YAML text; throws SpecError with its faults. */
export function readYaml(text: string, file: string, fewestInPieces = manyJobs): ReadDocument {
  const jobs = YamlJobs.of(text, fewestInPieces);
  const inPieces = jobs?.value(pieceOf) ?? null;
  return {
    value: (inPieces ?? whole(text, file)).value,
    where(places) {
      // parsed once more: a large document's nodes are not worth keeping for rare errors
      const parsed = lastParsed();
      const offset = (part: string, place: Place) => {
        const { top, targets } = parsed(part);
        return offsetOf(place, top, targets);
      };
      const offsets = places.map((place) => {
        return jobs === null || inPieces === null ? offset(text, place) : jobs.offset(place, offset);
      });
      return positionsOf(text, offsets);
    },
  };
}

interface Parsed {
  value: unknown;
  top: Node | null;
  targets: ReadonlyMap<Node, Node>;
  faults: readonly Fault[];
}

function parse(text: string, depth = withinDepth): Parsed {
  const faults: Fault[] = [];
  const top = (compose(text, faults, depth)?.contents ?? null) as Node | null;
  if (faults.length > 0) return { value: null, top, targets: new Map(), faults };
  const conversion = new Conversion();
  const value = conversion.value(top);
  return { value, top, targets: conversion.targets, faults: conversion.faults };
}

function whole(text: string, file: string): { value: unknown } {
  const { value, faults } = parse(text);
  throwFaults(faults, text, file);
  return { value };
}

/** A part of a document, which is one level deeper in it. */
function pieceOf(text: string): { value: unknown } | null {
  const { value, targets, faults } = parse(text, withinDepth - 1);
  return faults.length > 0 || targets.size > 0 ? null : { value };
}

/** Parses a text unless it was the last one. */
function lastParsed(): (text: string) => Parsed {
  let last: { text: string; parsed: Parsed } | null = null;
  return (text) => {
    if (last?.text !== text) last = { text, parsed: parse(text) };
    return last.parsed;
  };
}

class Refused {
  readonly fault: Fault;
  constructor(offset: number, message: string) {
    this.fault = { offset, message };
  }
}

function compose(text: string, faults: Fault[], depth: number): Document.Parsed | null {
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    stringKeys: true,
    uniqueKeys: false,
    resolveKnownTags: false,
    keepSourceTokens: false,
  });
  try {
    const documents = composer.compose(tokensOf(text, faults, depth));
    const document = documents.next().value ?? null;
    const second = documents.next().value;
    if (document === null) return null;
    for (const found of [...document.errors, ...document.warnings]) {
      faults.push({ offset: found.pos[0], message: plainer.get(found.code) ?? sentence(found.message) });
    }
    if (document.directives?.yaml.version !== '1.2') faults.push({ offset: 0, message: 'only YAML 1.2 is supported' });
    if (second !== undefined)
      faults.push({ offset: second.range[0], message: 'a second document; a specification is a single document' });
    return document;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    faults.push(error.fault);
    return null;
  }
}

/** Tokens without the errors, which become faults here, because the composer is slow with them. */
function* tokensOf(text: string, faults: Fault[], depth: number): Generator<CST.Token> {
  const parser = new Parser();
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    count += 1;
    // One entry of the stack for each open list or mapping, and at most three for the document and a value.
    if (parser.stack.length > depth + 3)
      throw new Refused(parser.offset, `is nested deeper than ${withinDepth} levels`);
    if (count > mostTokens) throw new Refused(parser.offset, 'this YAML is too large: write the workflow as JSON');
    for (const token of parser.next(lexeme)) if (!isFault(token, faults)) yield token;
  }
  for (const token of parser.end()) if (!isFault(token, faults)) yield token;
}

function isFault(token: CST.Token, faults: Fault[]): boolean {
  if (token.type !== 'error') return false;
  const message = sentence(token.message);
  if (faults.length >= shownProblems) throw new Refused(token.offset, message);
  faults.push({ offset: token.offset, message });
  return true;
}

/** Messages of the library that do not say what to do. */
const plainer = new Map<string, string>([
  ['BLOCK_AS_IMPLICIT_KEY', "a key inside a value: is a line indented wrongly, or does a text with ': ' need quotes?"],
  ['NON_STRING_KEY', 'a key must be plain text'],
  ['TAG_RESOLVE_FAILED', "tags (a '!' and a name) are not supported; a text that begins with '!' needs quotes"],
]);

/** The library's message without the position that it may carry, beginning in lower case like ours. */
function sentence(message: string): string {
  const first = message.split('\n')[0] ?? '';
  return first.charAt(0).toLowerCase() + first.slice(1, 200);
}

/** From nodes to plain values; recursion is as deep as the document, which `tokensOf` has bounded. */
class Conversion {
  readonly faults: Fault[] = [];
  /** The value of each alias. */
  readonly targets = new Map<Node, Node>();
  readonly #anchors = new Map<string, { node: Node; value: unknown; size: number; isOpen: boolean }>();
  #size = 0;

  value(node: Node | null): unknown {
    if (node === null) return null;
    this.#size += 1;
    if (isAlias(node)) return this.#alias(node, node.source);
    const anchor = 'anchor' in node && typeof node.anchor === 'string' ? node.anchor : null;
    if (anchor === null) return this.#plain(node);
    const entry = { node, value: undefined as unknown, size: this.#size, isOpen: true };
    this.#anchors.set(anchor, entry);
    entry.value = this.#plain(node);
    entry.size = this.#size - entry.size + 1;
    entry.isOpen = false;
    return entry.value;
  }

  #alias(node: Node, name: string): unknown {
    const entry = this.#anchors.get(name);
    if (entry === undefined) return this.#refuse(node, `the alias ${quoted(name)} has no anchor before it`);
    if (entry.isOpen) return this.#refuse(node, `the alias ${quoted(name)} is inside the value that it names`);
    this.#size += entry.size;
    if (this.#size > mostValues) return this.#refuse(node, 'aliases make this document too large');
    this.targets.set(node, entry.node);
    return entry.value;
  }

  #plain(node: Node): unknown {
    if (isScalar(node)) return typeof node.value === 'number' ? writtenNumber(node.value, node.source) : node.value;
    if (isSeq(node)) return node.items.map((item) => this.value(item as Node | null));
    if (!isMap(node)) return this.#refuse(node, 'is neither a value, a list nor a mapping');
    const object: Record<string, unknown> = {};
    for (const pair of node.items) {
      const key = keyOf(pair.key);
      if (key === null) {
        this.#refuse(pair.key as Node, 'a key must be plain text');
        continue;
      }
      if (Object.hasOwn(object, key)) {
        this.#refuse(pair.key as Node, `the key ${quoted(key)} appears twice in the same mapping`);
      }
      const value = this.value((pair.value ?? null) as Node | null);
      setOwn(object, key, value);
    }
    return object;
  }

  #refuse(node: Node, message: string): null {
    this.faults.push({ offset: node.range?.[0] ?? 0, message });
    return null;
  }
}

/** Sets a key from outside; a plain assignment would treat `__proto__` specially. */
function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The text of a mapping's key; null when it is not text. */
function keyOf(key: unknown): string | null {
  if (!isScalar(key)) return null;
  return typeof key.value === 'string' ? key.value : key.value === null ? '' : null;
}

function offsetOf({ path, at }: Place, top: Node | null, targets: ReadonlyMap<Node, Node>): number {
  let node = top;
  let offset = top?.range?.[0] ?? 0;
  for (const [depth, part] of path.entries()) {
    const container = node === null ? null : (targets.get(node) ?? node);
    if (typeof part === 'number') {
      node = isSeq(container) ? ((container.items[part] as Node | undefined) ?? null) : null;
      if (node === null) return offset;
    } else {
      const pair = isMap(container) ? container.items.find(({ key }) => keyOf(key) === part) : undefined;
      if (pair === undefined) return offset;
      const keyOffset = (pair.key as Node).range?.[0] ?? offset;
      node = (pair.value ?? null) as Node | null;
      if (node === null || (at === 'key' && depth === path.length - 1)) return keyOffset;
    }
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}
