/** Setup: a test fails when a service in its process gave a reply that violates the contract. */
import { subscribe } from 'node:diagnostics_channel';
import { afterEach, expect } from 'vitest';
import { replyProblem, type Told } from './reply-check.ts';

const problems: string[] = [];

subscribe('torc:reply', (told) => {
  const problem = replyProblem(told as Told);
  if (problem !== null) problems.push(problem);
});

afterEach(() => {
  expect(problems.splice(0)).toEqual([]);
});
