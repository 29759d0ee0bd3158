/** How requests grow: by how much, up to what, and where the job then runs. */
import { describe, expect, it } from 'vitest';
import { type Exceeded, type Room, scaledNeed } from '../../src/model/decide/scaling.ts';
import { defaultRequirements, type Requirements } from '../../src/model/job.ts';
import { nextValue, type Scale } from '../../src/model/scale.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow } from '../support/specification.ts';

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;
const minute = 60_000;

describe('the next value', () => {
  it('is the last tried one times the factor, in whole mebibytes and seconds', () => {
    const tried = (value: number) => ({ tried: value, used: null });
    expect(nextValue('memory', { factor: 1.5 }, tried(10 * gibibyte))).toBe(15 * gibibyte);
    expect(nextValue('memory', { factor: 1.5 }, tried(15 * gibibyte))).toBe(22.5 * gibibyte);
    expect(nextValue('memory', { factor: 1.1 }, tried(mebibyte))).toBe(2 * mebibyte);
    expect(nextValue('runtime', { factor: 1.1 }, tried(10_000))).toBe(11_000);
  });

  it('is what was used times the factor where nothing was stated', () => {
    expect(nextValue('memory', { factor: 2 }, { tried: null, used: gibibyte })).toBe(2 * gibibyte);
    expect(nextValue('memory', { factor: 2 }, { tried: null, used: null })).toBeNull();
  });

  it('is the next of a list', () => {
    const growth = { values: [gibibyte, 4 * gibibyte, 9 * gibibyte] };
    const next = (tried: number | null, used: number | null = null) => nextValue('memory', growth, { tried, used });
    expect([next(512), next(gibibyte), next(5 * gibibyte), next(9 * gibibyte)]).toEqual([
      gibibyte,
      4 * gibibyte,
      9 * gibibyte,
      null,
    ]);
    expect(next(null, 2 * gibibyte)).toBe(4 * gibibyte);
  });

  it('is a multiple of the peak, in at most 16 steps between powers of two; never less than was tried', () => {
    const of = (used: number, tried = gibibyte) => nextValue('memory', { peak: 1.3 }, { tried, used }) ?? 0;
    expect(of(4 * gibibyte)).toBe(5.25 * gibibyte);
    expect(of(0.2 * gibibyte)).toBeGreaterThan(1.3 * gibibyte - 1);
    const values = new Set(Array.from({ length: 1000 }, (_, i) => of(4 * gibibyte * (1 + i / 1000))));
    expect(values.size).toBeLessThanOrEqual(17);
  });
});

const need = (given: Partial<Requirements> = {}): Requirements => ({
  ...defaultRequirements,
  memoryBytes: gibibyte,
  isMemoryStated: true,
  runtimeMs: 10 * minute,
  isRuntimeStated: true,
  ...given,
});
const room = (key: number, memoryBytes: number | null, runtimeMs: number | null): Room => {
  return { key, name: `c${key}`, memoryBytes, runtimeMs };
};
const anywhere = room(0, null, null);
const scale: Scale = { memory: { factor: 2 }, runtime: { factor: 3 } };

function scaled(given: Partial<Exceeded> & { rooms?: [Room, ...Room[]]; scale?: Scale }) {
  const { rooms = [anywhere], scale: by = scale, ...exceeded } = given;
  const tried = exceeded.tried ?? need();
  return scaledNeed(by, { field: 'memory', tried, now: tried, used: null, ...exceeded }, rooms);
}

describe('a request that was exceeded', () => {
  it('is the only thing that grows', () => {
    expect(scaled({})).toMatchObject({ need: need({ memoryBytes: 2 * gibibyte }), limitedBy: null });
    expect(scaled({ field: 'runtime' })).toMatchObject({ need: need({ runtimeMs: 30 * minute }), limitedBy: null });
    expect(scaled({ scale: { runtime: { factor: 3 } } })).toBeNull();
  });

  it('grows from the value that was tried, and not below what the job asks for since', () => {
    const tried = need({ memoryBytes: 4 * gibibyte });
    expect(scaled({ tried })).toMatchObject({ newValue: 8 * gibibyte });
    expect(scaled({ tried, now: need({ memoryBytes: 5 * gibibyte }) })).toBe('raised');
    expect(scaled({ tried, now: need({ memoryBytes: 3 * gibibyte }) })).toMatchObject({ newValue: 8 * gibibyte });
  });

  it('is no longer expected to end before the limit that it has reached', () => {
    const { need: after } = scaled({ field: 'runtime', tried: need({ expectedMs: minute }) }) as { need: Requirements };
    expect(after).not.toHaveProperty('expectedMs');
  });

  it('stops at the max of the rule, and then is not tried again', () => {
    const limited = { ...scale, max: { memory: 1.5 * gibibyte } };
    expect(scaled({ scale: limited })).toMatchObject({
      newValue: 1.5 * gibibyte,
      wanted: 2 * gibibyte,
      limitedBy: 'max',
    });
    const tried = need({ memoryBytes: 1.5 * gibibyte });
    expect(scaled({ scale: limited, tried })).toEqual({ field: 'memory', value: 1.5 * gibibyte, limitedBy: 'max' });
    const list = { memory: { values: [gibibyte] } };
    expect(scaled({ scale: list })).toEqual({ field: 'memory', value: gibibyte, limitedBy: 'list' });
  });
});

describe('a request that its Slurm config does not give', () => {
  it('takes the first fallback that gives all of it', () => {
    const rooms: [Room, ...Room[]] = [
      room(1, 1.5 * gibibyte, 60 * minute),
      room(2, 1.8 * gibibyte, null),
      room(3, 3 * gibibyte, 5 * minute),
      room(4, 2 * gibibyte, 10 * minute),
      room(5, null, null),
    ];
    expect(scaled({ rooms })).toMatchObject({ newValue: 2 * gibibyte, limitedBy: null, room: { key: 4 } });
    const time: [Room, ...Room[]] = [
      room(1, null, 20 * minute),
      room(2, gibibyte / 2, null),
      room(3, gibibyte, 30 * minute),
    ];
    expect(scaled({ field: 'runtime', rooms: time })).toMatchObject({ newValue: 30 * minute, room: { key: 3 } });
  });

  it('else gets the most that one of them gives, and then is not tried again', () => {
    const rooms: [Room, ...Room[]] = [room(1, 1.2 * gibibyte, null), room(2, 1.5 * gibibyte, null)];
    const found = scaled({ rooms });
    expect(found).toMatchObject({ newValue: 1.5 * gibibyte, limitedBy: 'scheduler', room: { key: 2 } });
    const tried = need({ memoryBytes: 1.5 * gibibyte });
    expect(scaled({ tried, rooms: [rooms[1] as Room] })).toEqual({
      field: 'memory',
      value: 1.5 * gibibyte,
      limitedBy: 'scheduler',
    });
  });
});

describe('scale in a specification', () => {
  function ruleOf(rule: object, more: object = {}) {
    const handlers = [{ name: 'h', rules: [rule] }];
    const spec = { name: 'w', failure_handlers: handlers, jobs: [{ name: 'a', command: 'x' }], ...more };
    try {
      const { workflow } = loadWorkflow(JSON.stringify(spec), { file: 'w.json' });
      return { ...workflow.failureHandlers[0]?.rules[0], schedulers: workflow.schedulers };
    } catch (error) {
      if (error instanceof SpecError) return error.message.split('\n').map((line) => line.replace(/^[^ ]* /, ''));
      throw error;
    }
  }

  it('has factors, lists and multiples of the peak; alone it says after which causes', () => {
    expect(
      ruleOf({ scale: { memory: 1.5, runtime: ['1h', 'PT2H'], max: { memory: '4g', runtime: '2h' } } }),
    ).toMatchObject({
      causes: ['oom', 'job_timeout'],
      matchAllExitCodes: false,
      scale: {
        memory: { factor: 1.5 },
        runtime: { values: [3_600_000, 7_200_000] },
        max: { memory: 4 * gibibyte, runtime: 7_200_000 },
      },
    });
    expect(ruleOf({ exit_codes: [3], scale: { memory: 'peak*1.3' } })).toMatchObject({
      exitCodes: [3],
      causes: [],
      scale: { memory: { peak: 1.3 } },
    });
  });

  it.each([
    [{}, 'failure_handlers[0].rules[0].scale: needs memory or runtime'],
    [
      { memory: 1 },
      'failure_handlers[0].rules[0].scale.memory: found the number 1, expected a factor above 1, at most 1000',
    ],
    [{ memory: 'peak*0.5' }, 'expected a factor above 1, a list of values, or a multiple of what was used'],
    [
      { memory: ['2g', '1g'] },
      'failure_handlers[0].rules[0].scale.memory: each value must be larger than the one before',
    ],
    [{ memory: 2, max: { runtime: '1h' } }, 'scale.max.runtime: limits runtime, which does not grow here'],
    [{ memry: 2 }, 'unknown key "memry" in a scale; did you mean "memory"?'],
  ])('refuses %j', (scale, problem) => {
    expect((ruleOf({ scale }) as string[]).join('\n')).toContain(problem);
  });

  it('fallback_schedulers are schedulers in an order', () => {
    const slurm_schedulers = ['a', 'b', 'c'].map((name) => ({ name, account: 'x' }));
    const rule = { exit_codes: [1] };
    const { schedulers } = ruleOf(rule, { slurm_schedulers, fallback_schedulers: ['c', 'b'] }) as {
      schedulers: readonly { name: string; fallbackOrder?: number }[];
    };
    expect(schedulers.map(({ name, fallbackOrder }) => [name, fallbackOrder])).toEqual([
      ['a', undefined],
      ['b', 1],
      ['c', 0],
    ]);
    const wrong = ruleOf(rule, { slurm_schedulers, fallback_schedulers: ['c', 'd', 'c'] }) as string[];
    expect(wrong.join('\n')).toContain('fallback_schedulers[1]: there is no Slurm scheduler "d"');
    expect(wrong.join('\n')).toContain('fallback_schedulers[2]: "c" is in the list already');
  });

  it('is written in KDL as well', () => {
    const text =
      'name "w"\nfailure_handler "h" {\n rule {\n  scale memory=1.5 { runtime "1h" "2h"\n max memory="4g" }\n }\n}\njob "a" { command "x"; }';
    expect(loadWorkflow(text, { file: 'w.kdl' }).workflow.failureHandlers[0]?.rules[0]?.scale).toEqual({
      memory: { factor: 1.5 },
      runtime: { values: [3_600_000, 7_200_000] },
      max: { memory: 4 * gibibyte },
    });
  });
});
