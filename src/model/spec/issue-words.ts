/** What a schema found wrong with a document, in words for people. */
import type { z } from 'zod';
import { didYouMean, nearestName, quoted } from './names.ts';
import { type SpecObject, specObjects } from './objects.ts';
import { keyMeant } from './synonyms.ts';

type Issue = z.core.$ZodIssue;

const requirements = 'a resource requirement';

export function aboutKey(key: string, object: SpecObject | null): string {
  const unknown = `unknown key ${quoted(key)} in ${object?.label ?? 'this place'}`;
  const keys = object?.keys ?? [];
  const meant = keyMeant(key, keys) ?? nearestName(key, keys);
  if (meant !== null) return `${unknown}; did you mean ${quoted(meant)}?`;
  const elsewhere = keyElsewhere(key, object);
  if (elsewhere !== null) return `${unknown}; ${elsewhere}`;
  if (keys.length > mostListed) return `${unknown}; all of its keys are in docs/specification.md`;
  return `${unknown}; the allowed keys are ${keys.join(', ')}`;
}

/** More keys would hide what is wrong. */
const mostListed = 20;

/** `"runtime" is a key of a resource requirement`, for what another object calls so, else for what is nearly one of its keys. */
function keyElsewhere(key: string, object: SpecObject | null): string | null {
  const others = specObjects().filter(({ label }) => label !== object?.label);
  for (const find of [keyMeant, nearestName]) {
    for (const { label, keys } of others) {
      const meant = find(key, keys);
      if (meant === null) continue;
      const isNamed = label === requirements && object?.label === 'a job';
      return `${quoted(meant)} is a key of ${label}${isNamed ? ', which a job names in resource_requirements' : ''}`;
    }
  }
  return null;
}

/** The exit codes of a rule are those that a shell reports. */
const exitCodeAdvice =
  'expected 1 to 255: a job killed by signal n has 128 + n (SIGKILL 137), and match_all_exit_codes: true is every failure';

export function aboutValue(issue: Issue, found: unknown, written?: string): string {
  if (typeof found === 'number' && issue.path.at(-2) === 'exit_codes')
    return `found ${shown(found)}, ${exitCodeAdvice}`;
  switch (issue.code) {
    case 'invalid_type':
      return `found ${shown(found)}, expected ${expectedWord(issue.expected)}${advice(issue, found, written)}`;
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      const meant = typeof found === 'string' ? didYouMean(found, allowed) : '';
      return `found ${shown(found)}, expected one of ${allowed.join(', ')}${meant}`;
    }
    case 'invalid_union':
      return `found ${shown(found)}, expected ${issue.message}`;
    case 'invalid_key': {
      const [inner] = issue.issues;
      if (inner?.code === 'invalid_format') return inner.message;
      return 'this key is empty or too long, or it contains a NUL byte or an incomplete character';
    }
    case 'too_small':
      if (typeof found === 'string') return 'is empty';
      if (Array.isArray(found) && found.length === 0) return 'found an empty list, expected at least one entry';
      return `found ${shown(found)}, expected at least ${issue.minimum}`;
    case 'too_big':
      if (typeof found === 'string') return `is ${found.length} characters long, at most ${issue.maximum} are allowed`;
      return `found ${shown(found)}, expected at most ${issue.maximum}`;
    default:
      return typeof found === 'number' ? `found ${shown(found)}, expected ${issue.message}` : issue.message;
  }
}

const expectedWords: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of keys to values',
};

function expectedWord(expected: string): string {
  return expectedWords[expected] ?? expected;
}

/** Texts that people write as bare numbers, without the unit. */
const withUnits = new Map([
  ['memory', '8g'],
  ['runtime', 'PT1H'],
  ['expected_runtime', 'PT30M'],
]);

/** Advice for a common mistake. */
function advice({ expected, path }: z.core.$ZodIssueInvalidType, found: unknown, written = String(found)): string {
  const example = withUnits.get(String(path.at(-1)));
  if (expected === 'string' && typeof found === 'number' && example !== undefined) return ` such as "${example}"`;
  if (expected === 'string' && (typeof found === 'number' || typeof found === 'boolean')) {
    return `: write it in quotes, "${written}"`;
  }
  const isQuoted = typeof found === 'string' && found.trim() !== '';
  const isNumber = expected === 'int' || expected === 'number';
  if (isNumber && isQuoted && Number.isFinite(Number(found))) return ': write it without quotes';
  if (expected === 'boolean' && isQuoted && /^(yes|no|on|off|true|false)$/i.test(found)) {
    return `: write ${/^(yes|on|true)$/i.test(found)} without quotes`;
  }
  if (expected === 'array' && isQuoted) return `: write [${quoted(found)}]`;
  return '';
}

/** A value in a message: short texts unchanged, lists and mappings by their kind only. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `the text ${quoted(value)}`;
  if (typeof value === 'number') return `the number ${value}`;
  if (Array.isArray(value)) return 'a list';
  if (value === null || value === undefined) return 'nothing';
  return typeof value === 'object' ? 'a mapping' : String(value);
}
