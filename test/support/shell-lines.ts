/** The simple commands of shell text, for tests of documents: no expansion, only words. */

/** The words of each command, in order; those of `$(...)` come before the command that they are in. */
export function commandsIn(text: string): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | null = null;
  /** The next word is the file of a redirection. */
  let isTarget = false;
  let at = 0;
  const add = (piece: string): void => {
    word = (word ?? '') + piece;
  };
  const endWord = (): void => {
    if (word !== null && !isTarget) words.push(word);
    if (word !== null) isTarget = false;
    word = null;
  };
  const endCommand = (): void => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  /** `$(...)` at `at`; its commands are found, and its value is unknown. */
  const substitute = (): void => {
    const end = endOfParentheses(text, at + 2);
    commands.push(...commandsIn(text.slice(at + 2, end)));
    add('VALUE');
    at = end + 1;
  };
  while (at < text.length) {
    const character = text[at] as string;
    if (character === '\\') {
      if (text[at + 1] !== '\n') add(text[at + 1] ?? '');
      at += 2;
    } else if (character === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) throw new Error(`a quotation does not end: ${text}`);
      add(text.slice(at + 1, end));
      at = end + 1;
    } else if (character === '"') {
      add('');
      at += 1;
      while (text[at] !== '"') {
        if (at >= text.length) throw new Error(`a quotation does not end: ${text}`);
        if (text.startsWith('$(', at)) substitute();
        else {
          if (text[at] === '\\') at += 1;
          add(text[at] ?? '');
          at += 1;
        }
      }
      at += 1;
    } else if (text.startsWith('$(', at)) substitute();
    else if (character === '#' && word === null) at = endOfLine(text, at);
    else if (/[<>]/.test(character)) {
      // the number before it is that of a file
      if (/^\d+$/.test(word ?? '')) word = null;
      endWord();
      at += /^(?:>>|>&|<<-?)/.exec(text.slice(at))?.[0].length ?? 1;
      isTarget = true;
    } else if (/[|;&()\n]/.test(character)) {
      endCommand();
      at += 1;
    } else if (/\s/.test(character)) {
      endWord();
      at += 1;
    } else {
      add(character);
      at += 1;
    }
  }
  endCommand();
  return commands;
}

function endOfParentheses(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "'") at = text.indexOf("'", at + 1);
    else if (text[at] === '(') depth += 1;
    else if (text[at] === ')') depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error(`a parenthesis does not end: ${text}`);
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}
