/** What commands print, compared with what a document shows. */

/** Columns of lists whose values differ from run to run. */
const measured = new Set(['exec_time_seconds', 'peak_memory', 'avg_memory', 'time_left_seconds', 'pid']);

/** Without what differs from run to run. */
export function comparable(output: string): string {
  const text = output
    .replaceAll(/^(\s*)elapsed: .*$/gm, '$1elapsed: TIME')
    .replaceAll(/\b\d\d\d\d-\d\d-\d\d[T ][\d:.]+Z?/g, 'INSTANT')
    .replaceAll(/\bat \d\d:\d\d:\d\d\b/g, 'at INSTANT')
    .replaceAll(/\b[\d.]+ (ms|s|min|h)\b/g, 'TIME')
    .replaceAll(/\b(used) [\d.]+[KMG]\b/g, '$1 SIZE')
    // what a larger request comes to depends on what was used
    .replaceAll(/\b(memory \S+ ->) \S+/g, '$1 SIZE')
    .replaceAll(/\bpid \d+\b/g, 'pid PID')
    // an allocation ends soon after its last job
    .replaceAll(/^(\s*)allocations: +\d.*$/gm, '$1allocations: SOME')
    .replaceAll(/\b(\w+_\d+)_[0-9a-f]{8}\b/g, '$1_RANDOM');
  return withoutMeasured(text)
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/ $/gm, '');
}

/** Of a list, the measured columns are left out; other lines stay as they are. */
function withoutMeasured(text: string): string {
  let columns: string[] = [];
  const lines = text.split('\n').map((line) => {
    const cells = line.trim().split(/ {2,}/);
    if (line.trim() === '') columns = [];
    else if (cells.some((cell) => measured.has(cell))) columns = cells;
    else if (cells.length === columns.length)
      return cells.map((cell, index) => (measured.has(columns[index] as string) ? '*' : cell)).join('  ');
    return line;
  });
  return lines.join('\n');
}

/** Whether a document shows this output; a line `..` stands for any lines. */
export function isShown(now: string, shown: string): boolean {
  const [is = '', expected = ''] = [now, shown].map((text) => comparable(text).trimEnd());
  const parts = `\n${expected}\n`.split(/^\.\.\n/m);
  const [begin = '', ...rest] = parts;
  const end = rest.pop();
  const text = `\n${is}\n`;
  if (end === undefined) return text === begin;
  if (!text.startsWith(begin) || !text.endsWith(end)) return false;
  let at = begin.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= text.length - end.length;
}
