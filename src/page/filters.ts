/** Filters as they are typed: `status=ready name='sim 1*'`, the words of `-f` of the list commands. */

export interface ListFilter {
  column: string;
  value: string;
}

/** A word without a column is looked for in names. `column`: the one that holds names. */
export function parseFilters(text: string, column = 'name'): ListFilter[] {
  return words(text).map((word) => {
    const at = word.indexOf('=');
    if (at > 0) return { column: word.slice(0, at), value: word.slice(at + 1) };
    return { column, value: /[*?[]/.test(word) ? word : `*${word}*` };
  });
}

export function filtersText(filters: readonly ListFilter[]): string {
  return filters.map(({ column, value }) => `${column}=${quoted(value)}`).join(' ');
}

/** The same filters with one column replaced; a value of null takes it away. */
export function withFilter(filters: readonly ListFilter[], column: string, value: string | null): ListFilter[] {
  const others = filters.filter((each) => each.column !== column);
  return value === null ? others : [...others, { column, value }];
}

function quoted(value: string): string {
  return /[\s'"\\]/.test(value) ? `"${value.replace(/(["\\])/g, '\\$1')}"` : value;
}

/** Split at spaces, unless they are quoted. */
function words(text: string): string[] {
  const found: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\' && quote === '"') {
      at += 1;
      word = (word ?? '') + (text[at] ?? '');
    } else if (quote !== null) {
      if (character === quote) quote = null;
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word = word ?? '';
    } else if (/\s/.test(character)) {
      if (word !== null) found.push(word);
      word = null;
    } else word = (word ?? '') + character;
  }
  return word === null ? found : [...found, word];
}
