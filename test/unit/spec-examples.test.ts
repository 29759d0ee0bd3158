import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expandCommands } from '../../src/model/commands-file.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { countStages } from '../../src/model/graph.ts';
import { loadWorkflow } from '../../src/model/spec-text.ts';

const folder = join(import.meta.dirname, '../../examples');

function load(file: string): ExpandedWorkflow {
  const bytes = readFileSync(join(folder, file));
  return file.endsWith('.txt') ? expandCommands(bytes, { file, name: file }) : loadWorkflow(bytes, { file }).workflow;
}

describe('the examples', () => {
  it('all begin with a comment that says what they show, and how to run them', () => {
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) {
      const lines = readFileSync(join(folder, file), 'utf8').split('\n');
      expect(lines[0], file).toMatch(/^# \w.*\.$/);
      expect(lines.slice(0, 12), file).toContain(`#   torc run examples/${file}`);
      expect(load(file).numJobs, file).toBeGreaterThan(0);
    }
  });

  it.each([
    ['word-count.yaml', 7, 9, 4],
    ['parameter-study.yaml', 42, 41, 3],
    ['commands.txt', 10, 0, 1],
  ])('%s has %d jobs, %d edges and %d stages', (file, numJobs, numEdges, numStages) => {
    const workflow = load(file);
    expect([workflow.numJobs, workflow.edges.length]).toEqual([numJobs, numEdges]);
    expect(countStages(workflow.numJobs, workflow.numBarriers, workflow.edges)).toBe(numStages);
  });

  it('write into a folder of their own in the directory in which they are started', () => {
    for (const file of readdirSync(folder)) {
      for (const { path } of load(file).files) expect(path).toMatch(/^[a-z_]+\/(?:[a-z_]+\/)?[a-z_0-9]+\.[a-z]+$/);
    }
  });
});
