/**
 * `${files.input.NAME}`, `${files.output.NAME}` and the same of user_data in commands; every other `${..}` belongs
 * to the shell and stays.
 */
import { quoted } from '../spec/names.ts';

/** One that another `${` follows before its end is not closed. */
const variable = /\$\{(files|user_data)\.((?:(?!\$\{)[^}])*)\}/g;

export type Direction = 'input' | 'output';

export interface Substitution {
  /** The path of a file that a text names, or null when there is none. */
  file(direction: Direction, name: string): string | null;
  /** Notes that a text names user data; the text itself stays until the job is given to a worker. */
  userData(direction: Direction, name: string): void;
  refuse(message: string): void;
}

/** The text with the paths in it, exactly as the specification writes them; quoting is up to the command. */
export function substitute(text: string, substitution: Substitution): string {
  if (!text.includes('${')) return text;
  return text.replace(variable, (whole, kind: string, rest: string) => {
    const match = /^(input|output)\.(.+)$/s.exec(rest);
    if (match === null) {
      substitution.refuse(`found ${quoted(whole)}, expected \${${kind}.input.NAME} or \${${kind}.output.NAME}`);
      return whole;
    }
    const [direction, name] = [match[1] as Direction, match[2] ?? ''];
    if (kind === 'files') return substitution.file(direction, name) ?? whole;
    substitution.userData(direction, name);
    return whole;
  });
}
