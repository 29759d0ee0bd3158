/** Memory and time written for people. Imports nothing, because the page of the dashboard has it as well. */

export const memoryUnits = ['', 'k', 'm', 'g', 't', 'p'] as const;

const minute = 60;
const hour = 3600;

/** Bytes for people, at most four characters and a unit, readable by `parseMemory`: `1.5G`, `512M`, `0B`. */
export function formatMemory(bytes: number): string {
  let value = bytes;
  let power = 0;
  while (power < memoryUnits.length - 1 && rounded(value) >= 1024) {
    value /= 1024;
    power += 1;
  }
  return `${rounded(value)}${(memoryUnits[power] || 'b').toUpperCase()}`;
}

function rounded(value: number): number {
  return value < 100 ? Math.round(value * 10) / 10 : Math.round(value);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** A duration for people, by its two largest units: `3.4 s`, `42 s`, `4m 05s`, `1h 02m`, `2d 03h`. */
export function formatDuration(seconds: number): string {
  const value = Math.max(0, seconds);
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < minute) return `${whole} s`;
  if (whole < hour) return `${Math.floor(whole / minute)}m ${two(whole % minute)}s`;
  const minutes = Math.round(whole / minute);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.round(whole / hour);
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}
