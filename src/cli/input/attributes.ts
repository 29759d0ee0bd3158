/** Attributes on the command line: `--attribute NAME=VALUE`, where an empty value removes one. */
import { Option } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { attributeName, attributeNameRule, longestAttribute } from '../../model/spec/attributes.ts';
import { quoted } from '../../model/spec/names.ts';

export interface AttributeOptions {
  attribute?: Readonly<Record<string, string>>;
}

export function attributeOption(what: string): Option {
  return new Option('--attribute <name=value>', what).argParser(addAttribute);
}

function addAttribute(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  if (at < 0) {
    throw new TorcError('usage', `${quoted(text)} is not an attribute`, 'Write it as --attribute release_id=123');
  }
  if (!attributeName.test(name)) throw new TorcError('usage', `${quoted(name)}: ${attributeNameRule}`);
  const value = text.slice(at + 1);
  if (value.length <= longestAttribute) return { ...before, [name]: value };
  const message = `attribute ${name} is ${value.length} characters long; at most ${longestAttribute} are allowed`;
  throw new TorcError('usage', message, 'Keep longer texts in the description or in user data.');
}

/** As changes of what is stored: null for one to remove. */
export function attributeChanges({ attribute }: AttributeOptions): { attributes?: Record<string, string | null> } {
  if (attribute === undefined) return {};
  const changes = Object.entries(attribute).map(([name, value]) => [name, value === '' ? null : value]);
  return { attributes: Object.fromEntries(changes) };
}

/** As those of something new. */
export function givenAttributes({ attribute = {} }: AttributeOptions): { attributes?: Record<string, string> } {
  const given = Object.entries(attribute).filter(([, value]) => value !== '');
  return given.length === 0 ? {} : { attributes: Object.fromEntries(given) };
}
