import { describe, expect, it } from 'vitest';
import { type FailureRule, retryDelayMs } from '../../src/model/retry.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow } from '../support/specification.ts';

/** The rule of a specification with one rule, or its problems. */
function ruleOf(rule: object): FailureRule | string[] {
  const handlers = [{ name: 'h', rules: [{ match_all_exit_codes: true, ...rule }] }];
  const spec = { name: 'w', failure_handlers: handlers, jobs: [{ name: 'a', command: 'x', failure_handler: 'h' }] };
  try {
    return loadWorkflow(JSON.stringify(spec), { file: 'w.json' }).workflow.failureHandlers[0]?.rules[0] as FailureRule;
  } catch (error) {
    if (error instanceof SpecError) return error.message.split('\n').map((line) => line.replace(/^[^ ]* /, ''));
    throw error;
  }
}

describe('the delay of a retry', () => {
  const waits = (rule: object, retries: readonly number[]) =>
    retries.map((numRetries) => retryDelayMs(ruleOf(rule) as FailureRule, numRetries));

  it('is none when nothing is given, and otherwise the same each time', () => {
    expect(waits({}, [0, 5])).toEqual([0, 0]);
    expect(waits({ retry_delay: '0s' }, [0, 5])).toEqual([0, 0]);
    expect(waits({ retry_delay: 'PT30S' }, [0, 5])).toEqual([30_000, 30_000]);
  });

  it('grows by its factor, up to its limit or a day', () => {
    expect(waits({ retry_delay: '30s', retry_backoff: 2 }, [0, 1, 2, 3])).toEqual([30_000, 60_000, 120_000, 240_000]);
    expect(waits({ retry_delay: '1s', retry_backoff: 1.5, retry_max_delay: '2s' }, [0, 1, 2, 999_999])).toEqual([
      1000, 1500, 2000, 2000,
    ]);
    expect(waits({ retry_delay: '1h', retry_backoff: 1000 }, [1, 999_999])).toEqual([86_400_000, 86_400_000]);
    expect(waits({ retry_delay: '2d', retry_backoff: 2 }, [0, 3])).toEqual([172_800_000, 172_800_000]);
  });

  it('is refused where it has no meaning, with the place', () => {
    const path = 'failure_handlers[0].rules[0]';
    expect(ruleOf({ retry_backoff: 2 })).toEqual([`${path}.retry_backoff: needs a retry_delay above 0`]);
    expect(ruleOf({ retry_delay: '0s', retry_max_delay: '1m' })).toEqual([
      `${path}.retry_max_delay: needs a retry_delay above 0`,
    ]);
    expect(ruleOf({ retry_delay: '1h', retry_max_delay: '1m' })).toEqual([
      `${path}.retry_max_delay: is shorter than retry_delay`,
    ]);
    expect(ruleOf({ retry_delay: '30' })).toEqual([expect.stringContaining('does not say its unit')]);
    expect(ruleOf({ retry_delay: '30s', retry_backoff: 0.5 })).toEqual([expect.stringContaining('retry_backoff')]);
  });
});
