/** What makes a workflow the same one again: no two values are written alike, and the same value always is. */
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/base/exact-json.ts';
import { argsProblem, argsText, canonicalJson, workflowHash } from '../../src/model/identity.ts';

const identity = { user: 'ann', tool: 't', name: 'n', args: 'v1' };

describe('the hash of a workflow', () => {
  it('tells apart what only looks alike when it is joined', () => {
    const hashes = [
      identity,
      { ...identity, tool: 'ab', name: 'c' },
      { ...identity, tool: 'a', name: 'bc' },
      { ...identity, tool: 'a,"b', name: 'c' },
      { ...identity, user: 'bob' },
      { ...identity, args: 'v2' },
      { ...identity, args: '"v1"' },
    ].map(workflowHash);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashes[0]).toBe(workflowHash({ args: 'v1', name: 'n', tool: 't', user: 'ann' }));
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('args', () => {
  it('are the same however they are written', () => {
    expect(argsText({ b: [1, true], a: null })).toBe('{"a":null,"b":[1,true]}');
    expect(argsText('{"b": [1.0, true],\n "a": null}')).toBe('{"a":null,"b":[1,true]}');
    expect(argsText(parseJson('{"b":[1e0,true],"a":null}'))).toBe('{"a":null,"b":[1,true]}');
    expect([argsText(3), argsText('3'), argsText(parseJson('3.10')), argsText(true)]).toEqual([
      '3',
      '3',
      '3.10',
      'true',
    ]);
  });

  it('keep numbers that a double cannot hold, and texts that are no JSON', () => {
    expect(argsText('[9007199254740993]')).toBe('[9007199254740993]');
    expect(canonicalJson(parseJson('[9007199254740993, 9007199254740992, 0.10, 1e400, -0.0]'))).toBe(
      '[9007199254740993,9007199254740992,0.1,1e400,0]',
    );
    expect([argsText('[a, b'), argsText(' v1'), argsText(null)]).toEqual(['[a, b', ' v1', null]);
  });

  it('are neither empty nor endless', () => {
    expect(argsProblem('')).toContain('leave it out');
    expect(argsProblem('x'.repeat(70_000))).toContain('longer');
    expect([argsProblem(undefined), argsProblem('v1'), argsProblem([])]).toEqual([null, null, null]);
  });
});
