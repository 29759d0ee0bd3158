import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expandCommands } from '../../src/model/expand/commands-file.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { countStages } from '../../src/model/graph/graph.ts';
import { loadWorkflow } from '../support/specification.ts';

const folder = join(import.meta.dirname, '../../examples');
const specFiles = readdirSync(folder).filter((file) => !file.endsWith('.mjs'));

function load(file: string): ExpandedWorkflow {
  const bytes = readFileSync(join(folder, file));
  return file.endsWith('.txt') ? expandCommands(bytes, { file, name: file }) : loadWorkflow(bytes, { file }).workflow;
}

describe('the examples', () => {
  it('all begin with a comment that says what they show, and how to run them', () => {
    const files = specFiles;
    expect(files.length).toBeGreaterThanOrEqual(10);
    for (const file of files) {
      const lines = readFileSync(join(folder, file), 'utf8').split('\n');
      const mark = /\.(json5|kdl)$/.test(file) ? '//' : '#';
      expect(lines[0], file).toMatch(/^(#|\/\/) \w.*\.$/);
      const isWide = load(file).requirements.some(({ numNodes }) => numNodes > 1);
      const command = isWide ? 'torc workflows create' : 'torc run';
      expect(lines.slice(0, 12), file).toContain(`${mark}   ${command} examples/${file}`);
      expect(load(file).numJobs, file).toBeGreaterThan(0);
    }
  });

  it.each([
    ['word-count.yaml', 7, 9, 4],
    ['parameter-study.yaml', 42, 41, 3],
    ['commands.txt', 10, 0, 1],
    ['hyperparameter-sweep.yaml', 20, 36, 3],
    ['paired-parameters.yaml', 6, 3, 2],
    ['barrier-stages.yaml', 2104, 4200, 7],
    ['simulation-sweep.yaml', 16, 15, 2],
    ['data-pipeline.yaml', 6, 8, 3],
    ['failure-handlers.yaml', 4, 3, 4],
    ['actions.yaml', 3, 0, 1],
    ['staged-slurm.yaml', 9, 8, 2],
    ['resource-monitor.yaml', 1, 0, 1],
  ])('%s has %d jobs, %d edges and %d stages', (file, numJobs, numEdges, numStages) => {
    const workflow = load(file);
    expect([workflow.numJobs, workflow.edges.length]).toEqual([numJobs, numEdges]);
    expect(countStages(workflow.numJobs, workflow.numBarriers, workflow.edges)).toBe(numStages);
  });

  it('write into a directory of their own in the working directory', () => {
    for (const file of specFiles) {
      for (const { path } of load(file).files) expect(path).toMatch(/^[a-z_]+\/(?:[a-z_]+\/)?[a-z_0-9.]+\.[a-z]+$/);
    }
  });

  it('are the same pipeline in three syntaxes', () => {
    const [yaml, ...others] = ['data-pipeline.yaml', 'data-pipeline-json5.json5', 'data-pipeline-kdl.kdl'].map(
      (file) => {
        const { pathOf: _, ...workflow } = load(file);
        const jobs = [...workflow.jobs].map((job) => ({ ...job, command: job.command.replace(/\s+/g, ' ').trim() }));
        return { ...workflow, jobs };
      },
    );
    expect(yaml?.jobs).toHaveLength(6);
    for (const other of others) expect(other).toEqual(yaml);
  });
});
