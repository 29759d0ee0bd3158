/** Jobs of several steps: one shell text that runs them in order, so that everything else knows only commands. */
import type { StepSpec } from '../spec/spec.ts';

/**
 * The command of a job with steps. Each runs in a subshell, so that neither `exit` nor `cd` reaches the next; the first
 * that fails, after its own retries, ends the job with its return code unless that is ignored.
 */
export function stepsCommand(steps: readonly StepSpec[]): string {
  const texts = steps.map(({ command, ignore_failure, max_retries }, i) => {
    const step = `torc: step ${i + 1} of ${steps.length}`;
    const isIgnored = ignore_failure ?? false;
    const end = freeWord(command);
    // its text is kept apart: an open quote or a comment at its end must not reach what follows
    // the subshell is not part of a condition: its own `set -e` would have no effect there
    return [
      `torc_step=; IFS= read -r -d '' torc_step <<'${end}'`,
      command,
      end,
      `for ((torc_try = 0; torc_try <= ${max_retries ?? 0}; torc_try++)); do`,
      `( eval -- "\${torc_step:?was not read: is there room in /tmp}" )`,
      'torc_code=$?',
      'if [ "$torc_code" = 0 ]; then break; fi',
      `echo "${step} ended with return code $torc_code${isIgnored ? ', which is ignored' : ''}" >&2`,
      'done',
      ...(isIgnored ? [] : ['if [ "$torc_code" != 0 ]; then exit "$torc_code"; fi']),
    ].join('\n');
  });
  return [...texts, 'exit 0'].join('\n');
}

/** A word that is not a line of the text. */
function freeWord(text: string): string {
  let word = 'torc_end_of_step';
  while (text.includes(word)) word += '_';
  return word;
}
