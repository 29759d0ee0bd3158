/** Whatever Slurm, a site's wrapper or a person writes: parsers never throw, and directives keep every value whole. */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { failure, isHarmless } from '../../src/slurm/answers.ts';
import { directive, extraDirectives, splitWords } from '../../src/slurm/directives.ts';
import { perNodeValue, slurmEnvironment } from '../../src/slurm/environment.ts';
import {
  parseCount,
  parseDuration,
  parseExitStatus,
  parseInstant,
  parseJobId,
  parseSize,
  presentText,
} from '../../src/slurm/fields.ts';
import { expandHostList } from '../../src/slurm/host-list.ts';
import { findMemoryWords } from '../../src/slurm/memory-words.ts';
import { parseSacct, parseSinfo, parseSqueue } from '../../src/slurm/parse.ts';
import { ownWords, submittedId } from '../../src/slurm/replies.ts';
import { parseScontrolJobs } from '../../src/slurm/scontrol.ts';
import { clusterNameIn, hasPartitionQos, parseSite } from '../../src/slurm/site.ts';
import { isSlurmAway, startEstimateIn } from '../../src/slurm/start-estimate.ts';
import { isFinal, parseState } from '../../src/slurm/states.ts';
import { stepText } from '../../src/slurm/step.ts';
import { mayHaveSubmitted, submitError } from '../../src/slurm/submit-errors.ts';
import { overridingVariables, submitVariables } from '../../src/slurm/variables.ts';
import { directivesOf } from '../fake-slurm/directives.mjs';

const parsers = { squeue: parseSqueue, sacct: parseSacct, sinfo: parseSinfo, scontrol: parseScontrolJobs };
const recorded = (version: string, name: string) =>
  readFileSync(new URL(`../fixtures/slurm/${version}/${name}.txt`, import.meta.url), 'utf8');

/** A text with some pieces cut out, duplicated or replaced by anything. */
const damage = (text: string) =>
  fc
    .array(
      fc.record({ at: fc.nat(text.length), length: fc.nat(40), put: fc.string({ unit: 'binary', maxLength: 20 }) }),
      {
        maxLength: 8,
      },
    )
    .map((cuts) =>
      cuts.reduce((whole, cut) => whole.slice(0, cut.at) + cut.put + whole.slice(cut.at + cut.length), text),
    );

describe.each(Object.entries(parsers))('%s output', (name, parse) => {
  it.each(['22.05', '24.11'])('of Slurm %s, damaged, costs lines and nothing else', (version) => {
    const text = recorded(version, name);
    const lines = text.split('\n').length;
    fc.assert(
      fc.property(damage(text), (damaged) => {
        const { records, numUnparsed } = parse(damaged);
        expect(records.length + numUnparsed).toBeLessThanOrEqual(lines + 8 * 21);
        for (const record of records) {
          if ('slurmJobId' in record) expect(record.slurmJobId).toMatch(/^[0-9]+$/);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('may be anything', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parse(text)));
  });
});

const ended = (text: string) => ({ kind: 'ended' as const, stdout: text, stderr: text, exitCode: 1 });

/** The functions that read the words of Slurm, a site or a person; the rest of the layer writes, or is tested below. */
const readers: Record<string, (text: string) => unknown> = {
  clusterNameIn,
  expandHostList,
  failure: (text) => failure('squeue', ended(text)),
  findMemoryWords,
  hasPartitionQos,
  isFinal: (text) => isFinal(parseState(text)),
  isHarmless: (text) => isHarmless(text, /^squeue: /),
  isSlurmAway,
  mayHaveSubmitted: (text) => mayHaveSubmitted(ended(text)),
  // options may have any name, also one that every object has
  overridingVariables: (text) => overridingVariables(`#SBATCH --constructor=${text}\n#SBATCH --${text}`),
  ownWords,
  parseCount,
  parseDuration,
  parseExitStatus,
  parseInstant,
  parseJobId,
  parseSacct,
  parseScontrolJobs,
  parseSinfo,
  parseSite: (text) => parseSite({ config: `ClusterName = c\n${text}`, partitions: text, nodes: text, qos: text }),
  parseSize,
  parseSqueue,
  parseState,
  perNodeValue: (text) => perNodeValue(text, 3),
  presentText,
  startEstimateIn,
  stepText: (text) => stepText({ nodeName: 'c1', memoryBytes: null, name: text }, [text]),
  submitError: (text) => submitError(ended(text), text),
  submitVariables: (text) => submitVariables({ SLURM_CONF: text, SBATCH_ACCOUNT: text }, text),
  submittedId,
};
/** Functions that take no foreign text, or refuse it with a sentence. */
const others = [
  ...['allocationScript', 'allocationTemplate', 'answered', 'checkedText', 'directive', 'emptyScript'],
  ...[
    'extraDirectives',
    'fillTemplate',
    'formatWalltime',
    'isOutcomeUnknown',
    'queryVariables',
    'runCommand',
    'slurmEnvironment',
  ],
  ...['slurmOutputDirectory', 'splitWords', 'sshCommand', 'stepCommand', 'stepPlace', 'systemSlurm'],
];

it('every parser of the layer is tested with any text', async () => {
  const folder = new URL('../../src/slurm/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const modules = await Promise.all(files.map((file) => import(new URL(file, folder).href)));
  const names = modules.flatMap((module) => Object.keys(module).filter((name) => typeof module[name] === 'function'));
  expect(names.sort()).toEqual([...Object.keys(readers), ...others].sort());
});

it.each(Object.entries(readers))('%s never throws', (_, read) => {
  const piece = fc.constantFrom(
    ...[
      '[',
      ']',
      '(x',
      ')',
      '-',
      ',',
      '0',
      '1',
      '9'.repeat(20),
      '|',
      '=',
      ':',
      ';',
      '+',
      '.',
      'K',
      'G',
      'T',
      ' ',
      '\n',
      '\r',
      '\0',
    ],
    ...[
      'slurmstepd: error: ',
      'Detected 1 oom_kill event',
      'JobId=1 ',
      '#SBATCH --',
      'UNLIMITED',
      'N/A',
      'Unknown',
      '2026-',
      '\ud800',
    ],
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    ...['sacct', 'scontrol', 'sinfo', 'squeue'].map((name) => damage(recorded('24.11', name))),
  );
  fc.assert(
    fc.property(text, (given) => void read(given)),
    { numRuns: 60 },
  );
});

it('a state is final only when it is one of Slurm’s final words', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const state = parseState(text);
      if (state.phase === 'final') expect(text.trim()).toMatch(/^[A-Za-z_]+\+?(\s|$)/);
    }),
  );
});

const line = fc.string({ unit: 'grapheme' }).filter((text) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text));

describe('directives', () => {
  it('keep every value without control characters', () => {
    fc.assert(
      fc.property(line, (value) => {
        expect(directivesOf(`#!/bin/bash\n${directive('account', value, 'account')}\n`)).toEqual({ account: value });
      }),
    );
  });

  it('are one line each, whatever the text: refused, or read back unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        try {
          const text = directive('account', value, 'account');
          expect(text.split(/[\n\r\0]/)).toHaveLength(1);
          expect(directivesOf(`#!/bin/bash\n${text}\n`)).toEqual({ account: value });
        } catch (error) {
          expect(error).toBeInstanceOf(TorcError);
        }
      }),
    );
  });

  it('split quoted words correctly', () => {
    const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    fc.assert(
      fc.property(fc.array(line), (words) => {
        expect(splitWords(words.map(quote).join(' '), 'text')).toEqual(words);
      }),
    );
  });

  it('made from extra options are never anything but options', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          for (const written of extraDirectives(text)) expect(written).toMatch(/^#SBATCH "?-[^\n\r\0]*$/u);
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
        }
      }),
    );
  });
});

it('a list of nodes gives names or nothing, and never too many', () => {
  const piece = fc.constantFrom(...['n', '[', ']', '-', ',', '0', '1', '99999', '[1-3]', '[0-99999]', ' ', '\0', '💥']);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      ),
      (text) => {
        const names = expandHostList(text);
        if (names === null) return;
        expect(names.length).toBeLessThanOrEqual(100_000);
        expect(new Set(names).size).toBe(names.length);
      },
    ),
    { numRuns: 50 },
  );
});

it('any environment is readable', () => {
  const name = fc.constantFrom(
    ...['SLURM_JOB_ID', 'SLURM_CPUS_ON_NODE', 'SLURM_JOB_CPUS_PER_NODE', 'SLURM_MEM_PER_NODE', 'SLURM_MEM_PER_CPU'],
    ...['SLURM_NODEID', 'SLURM_RESTART_COUNT', 'SLURM_JOB_END_TIME', 'SLURM_JOB_START_TIME', 'TORC_ALLOCATION_START'],
    ...['CUDA_VISIBLE_DEVICES', 'SLURM_JOB_GPUS', 'SLURM_GPUS_ON_NODE'],
  );
  const value = fc.oneof(fc.string(), fc.stringMatching(/^[0-9x(),-]{0,20}$/), fc.nat().map(String));
  fc.assert(
    fc.property(fc.dictionary(name, value), fc.nat(), (env, nowMs) => {
      const found = slurmEnvironment({ SLURM_JOB_ID: '1', ...env }, nowMs, 60);
      for (const number of [found?.numCpus, found?.memoryBytes, found?.walltimeSeconds]) {
        if (typeof number === 'number') expect(number).toBeGreaterThan(0);
      }
    }),
  );
});

it('an id is found when nothing else could be it, and never invented', () => {
  fc.assert(
    fc.property(fc.array(line), fc.integer({ min: 1, max: 2 ** 31 }), (lines, id) => {
      const isAlone = !/\p{Nd}/u.test(lines.join(''));
      const expected = isAlone ? { slurmJobId: String(id), cluster: null } : null;
      expect(submittedId([...lines, String(id)].join('\n'))).toEqual(expected);
      const found = submittedId(lines.join('\n'));
      if (found !== null) expect(lines.some((text) => text.includes(found.slurmJobId))).toBe(true);
    }),
  );
});
