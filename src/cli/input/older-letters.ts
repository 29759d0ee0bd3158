/** Letters that once meant something else in one command: -h, -k and -F mean the same everywhere now. */

/** The words with the long option where a letter is used as it was. */
export function withoutOlderLetters(words: readonly string[]): readonly string[] {
  const nodes = words.indexOf('schedule-nodes');
  if (nodes >= 0) return replaced(words, nodes, keepScripts);
  const parameters = words.indexOf('set-compute-node-parameters');
  return parameters >= 0 ? replaced(words, parameters, waitForServer) : words;
}

/** `-k` without a key kept the scripts. */
function keepScripts(word: string, next: string | undefined): string[] | null {
  return word === '-k' && (next === undefined || next.startsWith('-')) ? ['--keep-scripts'] : null;
}

/** `-h` with a number said how long to wait for a server. */
function waitForServer(word: string, next: string | undefined): string[] | null {
  const attached = /^-h=?([0-9]+)$/.exec(word)?.[1];
  const option = '--wait-for-healthy-database';
  if (attached !== undefined) return [option, attached];
  return word === '-h' && /^[0-9]+$/.test(next ?? '') ? [option] : null;
}

function replaced(
  words: readonly string[],
  command: number,
  newer: (word: string, next: string | undefined) => string[] | null,
): readonly string[] {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  return words.flatMap((word, at) => (at > command && at < end ? (newer(word, words[at + 1]) ?? [word]) : [word]));
}
