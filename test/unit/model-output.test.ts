/** What counts as a passed check of the model: only a complete search without an error. */
import { expect, it } from 'vitest';
import { readSearch } from '../../model/spin-output.mjs';

const complete = `
(Spin Version 6.5.2 -- 6 December 2019)

Full statespace search for:
	never claim         	- (none specified)
	assertion violations	+
	cycle checks       	- (disabled by -DSAFETY)
	invalid end states	+

State-vector 204 byte, depth reached 70, errors: 0
   627288 states, stored
  2573445 states, matched
  3200733 transitions (= stored+matched)
       23 atomic steps
hash conflicts:     26909 (resolved)

Stats on memory usage (in Megabytes):
  229.697	total actual memory usage

pan: elapsed time 2.1 seconds
`;

it('a complete search without an error passes, with its figures', () => {
  expect(readSearch(complete)).toEqual({
    errors: 0,
    depth: 70,
    states: 627288,
    transitions: 3200733,
    megabytes: 229.697,
    verdict: 'complete',
    why: null,
  });
});

it('an error fails and is named', () => {
  const line = 'pan:1: assertion violated ((process& ~(occupying))==0) (at depth 42)';
  const failed = `${line}\npan: wrote exchange.pml.trail\nWarning: Search not completed\n${complete.replace('errors: 0', 'errors: 1')}`;
  expect(readSearch(failed)).toMatchObject({ verdict: 'error', errors: 1, why: line });
});

it.each([
  ['the depth', 'error: max search depth too small\n'],
  ['memory', 'pan: reached -DMEMLIM bound\n'],
  ['memory that there is', 'pan: out of memory\n'],
  ['an interrupt', 'Interrupted\n'],
  ['anything', 'Warning: Search not completed\n'],
])('a search that %s has cut short is incomplete, even without an error', (_what, line) => {
  const search = readSearch(line + complete);
  expect(search).toMatchObject({ verdict: 'incomplete', why: line.trim() });
});

it('spin counts a limit of depth as an error: it is no error that was found', () => {
  const cut = `error: max search depth too small\n${complete.replace('errors: 0', 'errors: 1')}`;
  expect(readSearch(cut).verdict).toBe('incomplete');
});

it('a search that looks at hashes of states only is incomplete', () => {
  const bitstate = complete.replace('Full statespace search', 'Bit statespace search');
  expect(readSearch(bitstate).verdict).toBe('incomplete');
});

it.each(['', complete.slice(0, 120), complete.replace('errors: 0', 'errors: ')])(
  'half of an output is incomplete',
  (output) => {
    expect(readSearch(output).verdict).toBe('incomplete');
  },
);
