/** `variables` of a specification: text constants, which stand as `{name}` or `{name:fmt}` in any of its texts. */
import { isMapping } from '../spec/check.ts';
import { quoted } from '../spec/names.ts';
import { isNumber, ParameterProblem, plainText, type Value } from '../spec/parameters.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import { withinDepth } from '../spec/source.ts';
import { Template } from './template.ts';

const placeholder = /\$?\{([A-Za-z_][A-Za-z0-9_-]*)(?::([^{}]*))?\}/g;

/** The document with its constants in place; unchanged when it has none. Adds problems to the findings. */
export function withConstants(document: unknown, findings: Findings): unknown {
  if (!isMapping(document) || !isMapping(document.variables)) return document;
  const constants = new Map<string, Value>();
  const taken = parameterNames(document);
  for (const [name, value] of Object.entries(document.variables)) {
    const path = ['variables', name];
    if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) {
      findings.add(
        path,
        () => `the name ${quoted(name)} is not a letter or _ followed by letters, digits, _ and -`,
        'key',
      );
    } else if (taken.has(name)) {
      findings.add(path, () => `${quoted(name)} is also a parameter; give one of them another name`, 'key');
    } else if (typeof value === 'string' || typeof value === 'number') constants.set(name, value);
    else if (typeof value === 'boolean') constants.set(name, String(value));
  }
  if (constants.size === 0) return document;
  const filling = new Filling(constants, findings);
  const filled = Object.entries(document).map(([key, value]) => {
    return [key, key === 'variables' ? value : filling.of(value, [key])];
  });
  return Object.fromEntries(filled);
}

/** All names in braces that mean something else. */
function parameterNames(document: Readonly<Record<string, unknown>>): Set<string> {
  const names = new Set<string>();
  const addKeys = (record: unknown) => {
    if (isMapping(record)) for (const name of Object.keys(record)) names.add(name);
  };
  const addNames = (list: unknown) => {
    if (Array.isArray(list)) for (const name of list) names.add(isMapping(name) ? String(name.name) : String(name));
  };
  addKeys(document.parameters);
  for (const key of ['jobs', 'files', 'user_data', 'templates', 'factories']) {
    const elements = document[key];
    for (const element of Array.isArray(elements) ? elements : []) {
      if (!isMapping(element)) continue;
      if (key === 'factories') addNames(element.parameters);
      else addKeys(element.parameters);
      for (const list of ['key_args', 'op_args', 'use_parameters']) addNames(element[list]);
      if (isMapping(element.factory)) addNames(element.factory.parameters);
    }
  }
  if (isMapping(document.factory)) addNames(document.factory.parameters);
  return names;
}

class Filling {
  readonly #constants: ReadonlyMap<string, Value>;
  readonly #findings: Findings;
  /** What several places share, such as an anchor of YAML, stays shared. */
  readonly #known = new Map<object, unknown>();

  constructor(constants: ReadonlyMap<string, Value>, findings: Findings) {
    this.#constants = constants;
    this.#findings = findings;
  }

  of(value: unknown, path: SpecPath): unknown {
    if (typeof value === 'string') return this.#text(value, path);
    if (typeof value !== 'object' || value === null || path.length > withinDepth) return value;
    const isList = Array.isArray(value);
    if (!isList && Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null)
      return value;
    if (this.#known.has(value)) return this.#known.get(value);
    const filled = isList
      ? value.map((each: unknown, i) => this.of(each, [...path, i]))
      : this.#object(value as Record<string, unknown>, path);
    this.#known.set(value, filled);
    return filled;
  }

  #object(value: Record<string, unknown>, path: SpecPath): Record<string, unknown> {
    const filled: Record<string, unknown> = {};
    for (const [key, each] of Object.entries(value)) {
      // a plain assignment would treat `__proto__` specially
      const property = { value: this.of(each, [...path, key]), enumerable: true, configurable: true, writable: true };
      Object.defineProperty(filled, key, property);
    }
    return filled;
  }

  #text(text: string, path: SpecPath): string {
    if (!text.includes('{')) return text;
    return text.replace(placeholder, (raw, name: string, format?: string) => {
      const value = raw.startsWith('$') ? undefined : this.#constants.get(name);
      if (value === undefined) return raw;
      if (format === undefined || format === '') return plainText(value);
      const meant = typeof value === 'string' && isNumber(value) ? Number(value) : value;
      try {
        return Template.of(raw, { parameters: [{ name, values: [meant], stride: 1 }], count: 1 }).at(0);
      } catch (error) {
        if (!(error instanceof ParameterProblem)) throw error;
        this.#findings.add(path, () => error.message);
        return raw;
      }
    });
  }
}
