/** Which of the attempts of a worker are drawn in one line: those that do not overlap. */

/** The lowest slot that is free at its start, for each span; `spans` are in the order of their starts. */
export function slotsOf(spans: Iterable<{ start: number; end: number }>): number[] {
  const freeAt: number[] = [];
  const slots: number[] = [];
  for (const { start, end } of spans) {
    const free = freeAt.findIndex((at) => at <= start);
    const slot = free < 0 ? freeAt.length : free;
    freeAt[slot] = end;
    slots.push(slot);
  }
  return slots;
}
