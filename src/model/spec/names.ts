/** Finding the name that a person probably meant. */
import { harmless } from '../../base/text.ts';

/**
 * The candidate nearest to a word, or null when none is near: at most one slip (letter missing, added, changed or two
 * swapped) for three letters; letter case does not matter.
 */
export function nearestName(word: string, candidates: Iterable<string>): string | null {
  const wanted = word.toLowerCase();
  let most = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | null = null;
  if (wanted.length > 100) return null;
  for (const candidate of candidates) {
    if (candidate === word || Math.abs(candidate.length - wanted.length) > most) continue;
    const distance = editDistance(wanted, candidate.toLowerCase(), most);
    if (distance > most) continue;
    best = candidate;
    if (distance === 0) break;
    most = distance - 1;
    if (most < 0) break;
  }
  return best;
}

/** The words "; did you mean X?" or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const nearest = nearestName(word, candidates);
  return nearest === null ? '' : `; did you mean ${quoted(nearest)}?`;
}

/** A text from outside for a message: in quotes, on one line, cut when it is long. */
export function quoted(text: string): string {
  const cut = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return harmless(JSON.stringify(cut), 'lines');
}

/** Slips between two words (optimal string alignment); anything above `most` is reported as `most + 1`. */
function editDistance(a: string, b: string, most: number): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let smallest = i;
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      }
      row.push(cost);
      smallest = Math.min(smallest, cost);
    }
    // A swap reaches back two rows, so one row above the limit is not the end unless the one before was as well.
    if (smallest > most && Math.min(...last) > most) return most + 1;
    before = last;
    last = row;
  }
  return last[b.length] ?? most + 1;
}
