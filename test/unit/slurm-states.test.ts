import { describe, expect, it } from 'vitest';
import { causes } from '../../src/model/status.ts';
import { isFinal, knownStates, parseState } from '../../src/slurm/states.ts';

describe('Slurm states', () => {
  it('knows each state by its long word and by its compact code', () => {
    for (const known of knownStates) {
      expect(parseState(known.name)).toEqual({
        name: known.name,
        phase: known.phase,
        cause: known.cause,
        canceledBy: null,
      });
      expect(parseState(known.code)).toEqual(parseState(known.name));
      expect(parseState(known.name.toLowerCase())).toEqual(parseState(known.name));
    }
  });

  it('has no word twice', () => {
    const words = knownStates.flatMap((known) => [known.name, known.code]);
    expect(new Set(words).size).toBe(words.length);
  });

  it('gives a cause only to final states, and always one of the causes of the model', () => {
    for (const known of knownStates) expect(known.cause !== null).toBe(known.phase === 'final');
    for (const known of knownStates) if (known.cause !== null) expect(causes).toContain(known.cause);
  });

  it.each([
    ['OUT_OF_MEMORY', 'oom'],
    ['TIMEOUT', 'walltime'],
    ['NODE_FAIL', 'node_failure'],
    ['BOOT_FAIL', 'node_failure'],
    ['PREEMPTED', 'preempted'],
    ['CANCELLED by 1000', 'canceled'],
    ['DEADLINE', 'walltime'],
    ['FAILED', 'worker_lost'],
    // a script that ended normally says nothing about a job without a result
    ['COMPLETED', 'worker_lost'],
  ])('%s leaves attempts behind as %s', (text, cause) => {
    expect(parseState(text).cause).toBe(cause);
  });

  it('reads who canceled it', () => {
    expect(parseState('CANCELLED by 1000')).toMatchObject({ name: 'CANCELLED', canceledBy: '1000' });
    expect(parseState('CANCELLED')).toMatchObject({ name: 'CANCELLED', canceledBy: null });
    expect(parseState('CANCELLED+')).toMatchObject({ name: 'CANCELLED', canceledBy: null });
  });

  it.each([
    ['OUT_OF_ME+', 'OUT_OF_MEMORY'],
    ['CANCELLED+', 'CANCELLED'],
    ['NODE_F+', 'NODE_FAIL'],
    ['  RUNNING ', 'RUNNING'],
  ])('knows %j again although its column was narrow', (text, name) => {
    expect(parseState(text).name).toBe(name);
  });

  it.each(['COMPLE+', 'REQUEUE_+', 'R+x', 'SOMETHING_NEW', 'COMPLETEDX', 'nonsense words', '|', '+', '__proto__'])(
    'counts %j as alive',
    (text) => {
      const state = parseState(text);
      expect(state).toMatchObject({ name: text, phase: 'unknown', cause: null });
      expect(isFinal(state)).toBe(false);
    },
  );

  it('never counts an empty state as an end', () => {
    expect(parseState(' ')).toMatchObject({ name: 'UNKNOWN', phase: 'unknown' });
  });

  it.each(['PENDING', 'RUNNING', 'SUSPENDED', 'COMPLETING', 'REQUEUED', 'REQUEUE_HOLD', 'REVOKED', 'STAGE_OUT'])(
    '%s is not final',
    (name) => {
      expect(isFinal(parseState(name))).toBe(false);
    },
  );
});
