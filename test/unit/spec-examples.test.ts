import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exampleNames, readExamples } from '../../src/base/examples.ts';
import { expandCommands } from '../../src/model/expand/commands-file.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { countStages } from '../../src/model/graph/graph.ts';
import { loadWorkflow } from '../support/specification.ts';

const folder = join(import.meta.dirname, '../../examples');
const specFiles = exampleNames().flatMap((name) =>
  readdirSync(join(folder, name))
    .filter((file) => /^workflow\.|^commands\.txt$/.test(file))
    .map((file) => join(name, file)),
);

function load(file: string): ExpandedWorkflow {
  const bytes = readFileSync(join(folder, file));
  return file.endsWith('.txt') ? expandCommands(bytes, { file, name: file }) : loadWorkflow(bytes, { file }).workflow;
}

describe('the examples', () => {
  it('all begin with a comment that says what they show, and have a README that says what to type', () => {
    expect(exampleNames().length).toBeGreaterThanOrEqual(20);
    expect(readdirSync(folder).sort()).toEqual([...exampleNames(), 'library.mjs'].sort());
    for (const file of specFiles) {
      const [first = ''] = readFileSync(join(folder, file), 'utf8').split('\n');
      expect(first, file).toMatch(/^(#|\/\/) \w.*[.?]$/);
      // with the longest name it fits a terminal
      if (/yaml$|txt$/.test(file)) expect(first.length, file).toBeLessThanOrEqual(60);
      expect(load(file).numJobs, file).toBeGreaterThan(0);
    }
    for (const name of exampleNames()) {
      const readme = readFileSync(join(folder, name, 'README.md'), 'utf8');
      expect(readme).toMatch(new RegExp(`^# ${name}\n`));
      expect(readme).toContain(`$ torc example ${name} && cd ${name}\n`);
    }
  });

  it('are all in docs/examples.md, each with its sentence', () => {
    const page = readFileSync(join(folder, '../docs/examples.md'), 'utf8');
    const rows = [...page.matchAll(/^\| \[(.+)\]\(\.\.\/examples\/(.+)\/README\.md\) \| (.+?) \|/gm)];
    expect(rows.map(([, name, target, sentence]) => [name, target, sentence]).sort()).toEqual(
      readExamples().map(({ name, description }) => [name, name, description]),
    );
  });

  it.each([
    ['word-count', 7, 9, 4],
    ['parameter-study', 42, 41, 3],
    ['hello', 2, 1, 2],
    ['monte-carlo', 21, 20, 2],
    ['bootstrap', 10, 17, 3],
    ['n-body', 26, 48, 14],
    ['hyperparameter-sweep', 20, 36, 3],
    ['paired-parameters', 6, 3, 2],
    ['barrier-stages', 2104, 4200, 7],
    ['simulation-sweep', 16, 15, 2],
    ['data-pipeline', 6, 8, 3],
    ['failure-handlers', 4, 3, 4],
    ['actions', 3, 0, 1],
    ['staged-slurm', 9, 8, 2],
    ['resource-monitor', 1, 0, 1],
  ])('%s has %d jobs, %d edges and %d stages', (name, numJobs, numEdges, numStages) => {
    const workflow = load(join(name, 'workflow.yaml'));
    expect([workflow.numJobs, workflow.edges.length]).toEqual([numJobs, numEdges]);
    expect(countStages(workflow.numJobs, workflow.numBarriers, workflow.edges)).toBe(numStages);
  });

  it('are the same pipeline in three syntaxes', () => {
    const [yaml, ...others] = ['workflow.yaml', 'workflow.json5', 'workflow.kdl'].map((file) => {
      const { pathOf: _, ...workflow } = load(join('data-pipeline', file));
      const jobs = [...workflow.jobs].map((job) => ({ ...job, command: job.command.replace(/\s+/g, ' ').trim() }));
      return { ...workflow, jobs };
    });
    expect(yaml?.jobs).toHaveLength(6);
    for (const other of others) expect(other).toEqual(yaml);
  });
});
