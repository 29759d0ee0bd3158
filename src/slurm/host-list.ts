/** Expands Slurm's compressed lists of nodes, such as `n[1-3,07],login`. */

/** The longest list that is expanded. */
const mostHosts = 100_000;

/**
 * The names in a compressed list, in its order and each once. Null when the text is not such a list, for example because
 * of unbalanced brackets or a descending range.
 */
export function expandHostList(list: string): string[] | null {
  const parts = splitOutsideBrackets(list.trim());
  if (parts === null) return null;
  const names = new Set<string>();
  for (const part of parts) {
    for (const name of expandOne(part) ?? ['']) names.add(name);
    if (names.has('') || names.size > mostHosts) return null;
  }
  return [...names];
}

function splitOutsideBrackets(list: string): string[] | null {
  const parts = [''];
  let isInside = false;
  for (const letter of list) {
    if (letter === '[' || letter === ']') {
      if (isInside === (letter === '[')) return null;
      isInside = letter === '[';
    }
    if (letter === ',' && !isInside) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return isInside ? null : parts;
}

/** Expands one part: text with any number of brackets, whose lengths multiply. */
function expandOne(part: string): string[] | null {
  let names = [''];
  // every second piece was between brackets
  for (const [index, piece] of part.split(/[[\]]/).entries()) {
    const words = index % 2 === 0 ? [piece] : expandRanges(piece);
    if (words === null || words.length * names.length > mostHosts || /\s/.test(piece)) return null;
    names = names.flatMap((name) => words.map((word) => name + word));
  }
  return names;
}

/** Expands numbers and ranges between brackets, padded to the width of the first number. */
function expandRanges(text: string): string[] | null {
  const words: string[] = [];
  for (const range of text.split(',')) {
    const match = /^([0-9]{1,15})(?:-([0-9]{1,15}))?$/.exec(range);
    if (match === null) return null;
    const [, first = '', last = first] = match;
    if (Number(last) < Number(first) || Number(last) - Number(first) >= mostHosts) return null;
    for (let number = Number(first); number <= Number(last); number += 1) {
      words.push(String(number).padStart(first.length, '0'));
    }
    if (words.length > mostHosts) return null;
  }
  return words;
}
