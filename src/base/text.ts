/** Small pieces of what people read and paste. */

/** A word as it can be pasted into a shell. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_\-+=:,./@%]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `1 job`, `2 jobs`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Controls, what changes the direction of text, what nobody sees, half characters; without the joiners of real scripts. */
const hidden =
  '[\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}\\ud800-\\udfff]';

/** What passes as it is. A log may also return to the start of its line, as progress does, or clear it. */
const kept = {
  nothing: '(?!)',
  lines: '[\\n\\t]',
  colors: '[\\n\\t]|\\x1b\\[[0-9;]*m',
  log: '[\\n\\t]|\\r|\\x1b\\[[0-9;]*[mK]',
};

const patterns = {
  nothing: pattern('nothing'),
  lines: pattern('lines'),
  colors: pattern('colors'),
  log: pattern('log'),
};

function pattern(keeps: keyof typeof kept): RegExp {
  return new RegExp(`(${kept[keeps]})|${hidden}`, 'gu');
}

const onlyPlain = /^[\x20-\x7e\n\t]*$/;
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function inHex(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** The text on one line, with control and invisible characters shown as `\n`, `\x1b`, `\u202e`. */
export function visible(text: string): string {
  return text.replace(patterns.nothing, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return shortEscapes[character] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : inHex(character));
  });
}

/**
 * The text as a terminal may have it, with everything else shown as `\u001b`: also in JSON, where that means the same
 * character.
 */
export function harmless(text: string, keeps: 'lines' | 'colors' | 'log'): string {
  if (onlyPlain.test(text)) return text;
  return text.replace(patterns[keeps], (character, isKept) => (isKept === undefined ? inHex(character) : character));
}
