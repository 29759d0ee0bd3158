/** From paths in a document to lines and columns, for readers that walk the text once and build no tree of it. */
import type { Place, Position } from './problems.ts';

/** A point on the way to a wanted place; readers carry the one they are at, or null off the way. */
export interface Waypoint {
  children: Map<string | number, Waypoint>;
  keyOffset: number;
  valueOffset: number;
}

function newWaypoint(): Waypoint {
  return { children: new Map(), keyOffset: -1, valueOffset: -1 };
}

/** The wanted places as a tree of paths, which a reader fills with offsets as it passes them. */
export class PlaceFinder {
  readonly root: Waypoint = newWaypoint();
  readonly #places: readonly Place[];

  constructor(places: readonly Place[]) {
    this.#places = places;
    for (const { path } of places) {
      let at = this.root;
      for (const part of path) {
        const next = at.children.get(part) ?? newWaypoint();
        at.children.set(part, next);
        at = next;
      }
    }
  }

  positions(text: string): Position[] {
    return positionsOf(
      text,
      this.#places.map((place) => this.#offset(place)),
    );
  }

  #offset({ path, at }: Place): number {
    let offset = Math.max(0, this.root.valueOffset);
    let waypoint: Waypoint | undefined = this.root;
    for (const [depth, part] of path.entries()) {
      waypoint = waypoint?.children.get(part);
      if (waypoint === undefined || waypoint.valueOffset < 0) return offset;
      const isLast = depth === path.length - 1;
      offset = isLast && at === 'key' && waypoint.keyOffset >= 0 ? waypoint.keyOffset : waypoint.valueOffset;
    }
    return offset;
  }
}

/** Notes the place of a child of a waypoint, and returns the child's waypoint; null when no caller asked for it. */
export function passing(
  at: Waypoint | null,
  part: string | number,
  keyOffset: number,
  valueOffset: number,
): Waypoint | null {
  const child = at?.children.get(part);
  if (child === undefined) return null;
  child.keyOffset = keyOffset;
  child.valueOffset = valueOffset;
  return child;
}

/** Lines and columns of offsets into a text, in their order, in one pass. */
export function positionsOf(text: string, offsets: readonly number[]): Position[] {
  const order = offsets.map((offset, i) => ({ offset: Math.min(Math.max(offset, 0), text.length), i }));
  order.sort((a, b) => a.offset - b.offset);
  const positions: Position[] = offsets.map(() => ({ line: 1, column: 1 }));
  let line = 1;
  let at = 0;
  let column = 1;
  for (const { offset, i } of order) {
    for (let next = text.indexOf('\n', at); next >= 0 && next < offset; next = text.indexOf('\n', at)) {
      line += 1;
      at = next + 1;
      column = 1;
    }
    for (; at < offset; at++) if (!isLowSurrogate(text.charCodeAt(at))) column += 1;
    positions[i] = { line, column };
  }
  return positions;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
