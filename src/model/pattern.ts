/** Patterns over names: `*` stands for any characters, `?` for one; everything else for itself. */

export function isPattern(word: string): boolean {
  return /[*?]/.test(word);
}

/** The pattern as SQLite's GLOB reads it, to which `[` is special too. */
export function globOf(pattern: string): string {
  return pattern.replaceAll('[', '[[]');
}

/** What every name that matches begins with. */
export function prefixOf(pattern: string): string {
  return pattern.split(/[*?]/, 1)[0] ?? '';
}

/** Whether a name matches the pattern. */
export function patternTest(pattern: string): (name: string) => boolean {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const whole = new RegExp(`^${source}$`, 'su');
  return (name) => whole.test(name);
}
