/** Commands that another system starts without a shell, as words of a shell that mean the same. */
import { factoryIndex } from '../expand/sweeps.ts';

/** Why a command cannot be split. */
export class WordsProblem extends Error {}

const notEscaped = new Set(['$', '`', '"', '\\', '\n']);

/** The words of each line of a command, as `shlex.split` of Python gives them; throws WordsProblem for an open quote. */
export function splitWords(command: string): string[][] {
  const lines: string[][] = [];
  let words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let at = 0; at < command.length; at += 1) {
    const char = command.charAt(at);
    const next = command.charAt(at + 1);
    if (quote === "'") {
      if (char === quote) quote = '';
      else word += char;
    } else if (quote === '"') {
      if (char === quote) quote = '';
      else if (char === '\\' && notEscaped.has(next)) {
        word += next;
        at += 1;
      } else word += char;
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
      if (char !== '\n') continue;
      lines.push(words);
      words = [];
    } else {
      word ??= '';
      if (char === '"' || char === "'") quote = char;
      else if (char !== '\\') word += char;
      else if (next === '') throw new WordsProblem('ends in a backslash');
      else {
        word += next;
        at += 1;
      }
    }
  }
  if (quote !== '') throw new WordsProblem(`has a quote ${quote} that is not closed`);
  if (word !== null) words.push(word);
  return [...lines, words].filter((line) => line.length > 0);
}

/** What stands for something in a text of PROMINENCE; everything else is literal. */
export interface Replaced {
  /** Parameters of the job's factory, which torc replaces as well; null without a factory. */
  parameters: ReadonlySet<string> | null;
  /** Whether a value of them has a character that means something to a shell. */
  isUnsafe: boolean;
  /** Names that are replaced by a variable of the shell. */
  variables: ReadonlyMap<string, string>;
}

/** Quotes a text as one shell word of which nothing is replaced. */
export function literalWord(text: string): string {
  return text !== '' && plainText.test(text) ? text : `'${literal(text, null)}'`;
}

type Part = readonly [kind: 'literal' | 'parameter' | 'variable', text: string];

const plainText = /^[A-Za-z0-9_\-+=:,./@%^]*$/;

/** Quotes a text as one shell word; only the names to be replaced keep a meaning in it. */
export function shellWordOf(text: string, replaced: Replaced): string {
  const parts = partsOf(text, replaced);
  const isPlain = ([kind, part]: Part) => (kind === 'literal' ? plainText.test(part) : !replaced.isUnsafe);
  if (text !== '' && parts.every(isPlain)) return parts.map(([, part]) => part).join('');
  const inside = parts.map(([kind, part]) => {
    if (kind === 'literal') return literal(part, replaced.parameters);
    return kind === 'variable' ? `'${part}'` : part;
  });
  return `'${inside.join('')}'`;
}

/** `$$`, `$name` and `${name}`: what Python's string.Template replaces. */
const reference = /\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;

function partsOf(text: string, { parameters, variables }: Replaced): Part[] {
  const parts: Part[] = [];
  let before = '';
  let end = 0;
  for (const match of text.matchAll(reference)) {
    const [raw, dollar, braced, bare] = match;
    const name = braced ?? bare ?? '';
    const variable = variables.get(name);
    const isParameter = parameters?.has(name) === true;
    if (dollar === undefined && !isParameter && variable === undefined) continue;
    before += text.slice(end, match.index);
    end = match.index + raw.length;
    if (dollar !== undefined) before += '$';
    else {
      parts.push(['literal', before], isParameter ? ['parameter', `\${${name}}`] : ['variable', `"$${variable}"`]);
      before = '';
    }
  }
  parts.push(['literal', before + text.slice(end)]);
  return parts;
}

/** Inside single quotes, and so that torc takes nothing in it for a parameter or a variable of its own. */
function literal(text: string, parameters: ReadonlySet<string> | null): string {
  const names = parameters === null ? [] : [...parameters, factoryIndex];
  const ours = new RegExp(
    `(\\$\\{)(?=(?:files|user_data|result|inputs)\\.)|(\\$\\{?|\\{)(?=(?:${names.join('|') || '(?!)'})(?![A-Za-z0-9_]))`,
    'g',
  );
  return text.replaceAll("'", `'\\''`).replace(ours, "$&''");
}
