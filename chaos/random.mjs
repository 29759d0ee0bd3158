// Random numbers that follow from a seed (mulberry32), so that a run's decisions can be repeated.
export function randomFrom(seed) {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low, high) => low + Math.floor(fraction() * (high - low + 1));
  return {
    fraction,
    between,
    chance: (share) => fraction() < share,
    pick: (list) => list[between(0, list.length - 1)],
  };
}
