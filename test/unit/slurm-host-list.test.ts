import { describe, expect, it } from 'vitest';
import { expandHostList } from '../../src/slurm/host-list.ts';

describe('compressed lists of nodes', () => {
  it.each([
    ['login', ['login']],
    ['a,b', ['a', 'b']],
    [' c[1-2] ', ['c1', 'c2']],
    ['n[1-3,07,9-10]', ['n1', 'n2', 'n3', 'n07', 'n9', 'n10']],
    ['n[08-11],n0[1-2]', ['n08', 'n09', 'n10', 'n11', 'n01', 'n02']],
    ['n[098-101]', ['n098', 'n099', 'n100', 'n101']],
    ['n[0-1]-ib', ['n0-ib', 'n1-ib']],
    ['r[1-2]n[01-02],x', ['r1n01', 'r1n02', 'r2n01', 'r2n02', 'x']],
    ['[1-2]', ['1', '2']],
    ['nid00[4]', ['nid004']],
    ['a,a,n[1,1]', ['a', 'n1']],
    ['a.b-c_d[7].example.org', ['a.b-c_d7.example.org']],
  ])('%j is %j', (list, names) => {
    expect(expandHostList(list)).toEqual(names);
  });

  it.each([
    '',
    ',',
    'a,',
    'n[',
    'n]',
    'n[1-2',
    'n[[1]]',
    'n[]',
    'n[1,]',
    'n[a-b]',
    'n[3-1]',
    'n[1-2-3]',
    'n[-1]',
    'a b',
    '(null)\n x',
    'n[0-999999999]',
    'n[0-9999]m[0-9999]',
    `n[${'0-99999,'.repeat(1000)}1]`,
  ])('%j is none', (list) => {
    expect(expandHostList(list)).toBeNull();
  });
});
