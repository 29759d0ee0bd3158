/**
 * Which rows of a long table are drawn. Browsers limit how high an element may be (Firefox to about 17 million pixels), so a
 * longer table is scaled: then scrolling moves further than what is drawn.
 */

export interface Window {
  /** The first row that is drawn, and how many are. */
  first: number;
  count: number;
  /** Where the first row is drawn, and how high all rows are together. */
  top: number;
  height: number;
}

const highest = 12_000_000;
/** Rows beyond the edges, so that a small move draws nothing anew. */
const spare = 6;

export function windowOf(numRows: number, rowHeight: number, scrollTop: number, viewHeight: number): Window {
  const full = numRows * rowHeight;
  const height = Math.min(full, highest);
  const scrollable = Math.max(1, height - viewHeight);
  const at = Math.max(0, Math.min(scrollTop, scrollable));
  // where the view begins in a table that is not scaled
  const begins = height === full ? at : (at / scrollable) * (full - viewHeight);
  const first = Math.max(0, Math.floor(begins / rowHeight) - spare);
  const count = Math.max(0, Math.min(numRows - first, Math.ceil(viewHeight / rowHeight) + 2 * spare + 1));
  return { first, count, top: at - (begins - first * rowHeight), height };
}

/** How far to scroll so that a row is in view; null when it is. */
export function scrollToShow(
  row: number,
  numRows: number,
  rowHeight: number,
  scrollTop: number,
  viewHeight: number,
): number | null {
  const full = numRows * rowHeight;
  const height = Math.min(full, highest);
  const scrollable = Math.max(1, height - viewHeight);
  const scale = height === full ? 1 : scrollable / (full - viewHeight);
  const [begins, top, end] = [scrollTop / scale, row * rowHeight, (row + 1) * rowHeight];
  if (top < begins) return top * scale;
  if (end > begins + viewHeight) return (end - viewHeight) * scale;
  return null;
}
