// Loaded before a Node program: its wall clock is TEST_CLOCK_SHIFT_MS milliseconds off.
const shiftMs = Number(process.env.TEST_CLOCK_SHIFT_MS ?? 0);
const TrueDate = globalThis.Date;
globalThis.Date = class extends TrueDate {
  constructor(...given) {
    if (given.length === 0) super(TrueDate.now() + shiftMs);
    else super(...given);
  }
  static now() {
    return TrueDate.now() + shiftMs;
  }
};
