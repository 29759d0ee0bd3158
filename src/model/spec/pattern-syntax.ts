/** Patterns as published specifications have them, in the syntax of Rust, as regular expressions of JavaScript. */
import { quoted } from './names.ts';

/** Why a pattern cannot be used, for people. */
export class PatternProblem extends Error {}

/** Sets of ASCII characters that have names inside brackets. */
const namedSets = new Map([
  ['alnum', '0-9A-Za-z'],
  ['alpha', 'A-Za-z'],
  ['ascii', '\\x00-\\x7F'],
  ['blank', '\\t\\x20'],
  ['cntrl', '\\x00-\\x1F\\x7F'],
  ['digit', '0-9'],
  ['graph', '!-~'],
  ['lower', 'a-z'],
  ['print', '\\x20-~'],
  ['punct', '!-\\/:-@\\[-`\\{-~'],
  ['space', '\\t\\n\\v\\f\\r\\x20'],
  ['upper', 'A-Z'],
  ['word', '0-9A-Za-z_'],
  ['xdigit', '0-9A-Fa-f'],
]);

/**
 * The regular expression of a pattern, or why there is none. JavaScript would take much of the other syntax for plain
 * letters, and the pattern would silently match nothing: syntax with another meaning is translated or refused.
 */
export function compiledPattern(pattern: string): RegExp | PatternProblem {
  const [start = '', letters = ''] = /^\(\?([imsuxU]+)\)/.exec(pattern) ?? [];
  const flags = [...new Set(letters)].filter((letter) => 'ims'.includes(letter)).join('');
  const translation = new Translation(pattern.slice(start.length), letters.includes('x'), flags.includes('m'));
  try {
    const source = translation.source();
    try {
      return new RegExp(source, `${flags}u`);
    } catch (error) {
      // without `u` these would be plain letters
      if (/\\[kpPux]/.test(source)) throw error;
      return new RegExp(source, flags);
    }
  } catch (error) {
    if (error instanceof PatternProblem) return new PatternProblem(`${quoted(pattern)} ${error.message}`);
    const reason = error instanceof Error ? (error.message.split(': ').at(-1) ?? '') : '';
    return new PatternProblem(`${quoted(pattern)} is not a regular expression: ${reason.toLowerCase()}`);
  }
}

class Translation {
  readonly #pattern: string;
  readonly #isVerbose: boolean;
  readonly #isMultiline: boolean;
  #at = 0;
  #source = '';
  #isInClass = false;

  constructor(pattern: string, isVerbose: boolean, isMultiline: boolean) {
    this.#pattern = pattern;
    this.#isVerbose = isVerbose;
    this.#isMultiline = isMultiline;
  }

  /** Throws PatternProblem with what follows the pattern in a sentence. */
  source(): string {
    while (this.#at < this.#pattern.length) this.#step();
    return this.#source;
  }

  #step(): void {
    if (this.#isVerbose && this.#take(/\s+|#.*/y) !== null) return;
    const escaped = this.#take(/\\([pP]([A-Za-z])|x(\{[0-9A-Fa-f]+\})|.)/suy);
    if (escaped !== null) this.#source += this.#escaped(escaped);
    else if (this.#isInClass) this.#stepInClass();
    else this.#stepOutside();
  }

  #stepOutside(): void {
    const opening = this.#take(/\[\^?\]?/y)?.[0];
    if (opening !== undefined) {
      this.#isInClass = true;
      // one that comes first is a member
      this.#source += opening.replace(']', '\\]');
      return;
    }
    if (this.#take(/\(\?P</y) !== null) this.#source += '(?<';
    else if (/^\(\?[A-Za-z-]/.test(this.#pattern.slice(this.#at, this.#at + 3))) {
      throw new PatternProblem(
        'has flags that are not supported: (?i), (?m), (?s) and (?x) are allowed at the beginning',
      );
    } else this.#source += this.#pattern[this.#at++];
  }

  #stepInClass(): void {
    const named = this.#take(/\[:(\^?[a-z]+):\]/y);
    if (named !== null) {
      const [whole, name = ''] = named;
      const set = namedSets.get(name);
      if (set === undefined) {
        const instead = name.startsWith('^')
          ? `write [^[:${name.slice(1)}:]]`
          : `supported are ${[...namedSets.keys()].join(', ')}`;
        throw new PatternProblem(`has ${whole}, which is not supported: ${instead}`);
      }
      this.#source += set;
      return;
    }
    const operator = this.#take(/\[|&&|--|~~/y)?.[0];
    if (operator !== undefined) {
      throw new PatternProblem(
        `has ${operator} inside brackets, which is not supported: to match these characters, write \\${operator[0]}`,
      );
    }
    const next = this.#pattern[this.#at++];
    if (next === ']') this.#isInClass = false;
    this.#source += next;
  }

  #escaped([whole, character = '', property, codePoint]: RegExpExecArray): string {
    if (property !== undefined) return `${whole.slice(0, 2)}{${property}}`;
    if (codePoint !== undefined) return `\\u${codePoint}`;
    if (/[A-Za-z<>]/.test(character)) return this.#escapedLetter(whole);
    // a backslash in front of a character without a special meaning is allowed there
    return /[\^$\\.*+?()[\]{}|/0-9-]/.test(character) && (character !== '-' || this.#isInClass) ? whole : character;
  }

  #escapedLetter(whole: string): string {
    if (whole === '\\A' && !this.#isInClass) return this.#isMultiline ? '(?<![^])' : '^';
    if (whole === '\\z' && !this.#isInClass) return this.#isMultiline ? '(?![^])' : '$';
    const isKnown = /[dDwWsSbBnrtfvxupPkc]/.test(whole);
    if (isKnown && !(/b/i.test(whole) && this.#pattern[this.#at] === '{')) return whole;
    throw new PatternProblem(`has ${whole}, which is not supported${whole === '\\Z' ? ': the end is \\z or $' : ''}`);
  }

  /** What is at the present place; moves past it. */
  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#pattern);
    if (found !== null) this.#at = expression.lastIndex;
    return found;
  }
}
