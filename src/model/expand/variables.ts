/**
 * `${files.input.NAME}`, `${files.output.NAME}` and the same of user_data in commands; every other `${..}` is the
 * shell's and stays.
 */
import { quoted } from '../spec/names.ts';

/** Where another `${` begins, this one has no end. */
const variable = /\$\{(files|user_data)\.((?:(?!\$\{)[^}])*)\}/g;

export type Direction = 'input' | 'output';

export interface Substitution {
  /** The path of a file that a text names, or null when there is none. */
  file(direction: Direction, name: string): string | null;
  /** Notes that a text names user data; the text itself stays until the job is given to a worker. */
  userData(direction: Direction, name: string): void;
  refuse(message: string): void;
}

/** The text with the paths in it, exactly as the specification writes them: quotes are the command's own affair. */
export function substitute(text: string, substitution: Substitution): string {
  if (!text.includes('${')) return text;
  return text.replace(variable, (whole, kind: string, rest: string) => {
    const match = /^(input|output)\.(.+)$/s.exec(rest);
    if (match === null) {
      substitution.refuse(`found ${quoted(whole)}, allowed are \${${kind}.input.NAME} and \${${kind}.output.NAME}`);
      return whole;
    }
    const [direction, name] = [match[1] as Direction, match[2] ?? ''];
    if (kind === 'files') return substitution.file(direction, name) ?? whole;
    substitution.userData(direction, name);
    return whole;
  });
}
