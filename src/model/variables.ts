/** `${files.input.NAME}` and `${files.output.NAME}` in commands; every other `${..}` is the shell's and stays. */
import { quoted } from './names.ts';

const variable = /\$\{(files|user_data)\.([^}]*)\}/g;

export interface Substitution {
  /** The path of a file that a text names, or null when there is none. */
  file(direction: 'input' | 'output', name: string): string | null;
  refuse(message: string): void;
}

/** The text with the paths in it, exactly as the specification writes them: quotes are the command's own affair. */
export function substitute(text: string, substitution: Substitution): string {
  return text.replace(variable, (whole, kind: string, rest: string) => {
    if (kind === 'user_data') {
      substitution.refuse(`this version of torc does not support ${quoted(whole)} yet; it is part of the format`);
      return whole;
    }
    const match = /^(input|output)\.(.+)$/s.exec(rest);
    if (match === null) {
      substitution.refuse(`found ${quoted(whole)}, allowed are \${files.input.NAME} and \${files.output.NAME}`);
      return whole;
    }
    return substitution.file(match[1] as 'input' | 'output', match[2] ?? '') ?? whole;
  });
}
