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

describe('retries that a job states itself', () => {
  const texts = {
    'w.yaml': 'name: w\njobs: [{name: a, command: x, max_retries: 2, retry_delay: 30s, retry_backoff: 2}]',
    'w.json':
      '{"name":"w","jobs":[{"name":"a","command":"x","max_retries":2,"retry_delay":"PT30S","retry_backoff":2}]}',
    'w.json5': "{name: 'w', jobs: [{name: 'a', command: 'x', max_retries: 2, retry_delay: '30s', retry_backoff: 2}]}",
    'w.kdl': 'name "w"\njob "a" {\n command "x"\n max_retries 2\n retry_delay "30s"\n retry_backoff 2\n}',
  };
  it.each(Object.entries(texts))('are a failure handler of one rule (%s)', (file, text) => {
    const { failureHandlers, jobs } = loadWorkflow(text, { file }).workflow;
    const delay = { retryDelayMs: 30_000, retryBackoff: 2, retryMaxDelayMs: 86_400_000 };
    const rule = { exitCodes: [], matchAllExitCodes: true, causes: [], recoveryScript: null, maxRetries: 2, ...delay };
    const name = 'max_retries 2, retry_delay 30 s, retry_backoff 2';
    expect(failureHandlers).toEqual([{ name, isPlain: true, rules: [rule] }]);
    expect([...jobs].map(({ failureHandler }) => failureHandler)).toEqual([0]);
  });

  it('come after the named handlers, and equal ones are one', () => {
    const rules = [{ causes: ['oom'] }];
    const jobs = [{ max_retries: 1 }, { failure_handler: 'max_retries 1' }, { max_retries: 1 }, { retry_delay: '1s' }];
    const spec = {
      ...{ name: 'w', failure_handlers: [{ name: 'max_retries 1', rules }] },
      jobs: jobs.map((job, index) => ({ name: `j${index}`, command: 'x', ...job })),
    };
    const { workflow } = loadWorkflow(JSON.stringify(spec), { file: 'w.json' });
    const names = ['max_retries 1', 'max_retries 1 (2)', 'max_retries 3, retry_delay 1 s'];
    expect(workflow.failureHandlers.map(({ name }) => name)).toEqual(names);
    expect([...workflow.jobs].map(({ failureHandler }) => failureHandler)).toEqual([1, 0, 1, 2]);
  });

  it('are refused beside a failure handler, and a back-off without a delay', () => {
    const refused = (job: object) => {
      const spec = {
        ...{ name: 'w', failure_handlers: [{ name: 'h', rules: [{ causes: ['oom'] }] }] },
        jobs: [{ name: 'a', command: 'x', ...job }],
      };
      return () => loadWorkflow(JSON.stringify(spec), { file: 'w.json' });
    };
    expect(refused({ max_retries: 1, failure_handler: 'h' })).toThrow('max_retries: cannot be combined with');
    expect(refused({ max_retries: 1, retry_backoff: 2 })).toThrow('retry_backoff: needs a retry_delay above 0');
    expect(refused({ max_retries: -1 })).toThrow('max_retries');
  });
});

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
