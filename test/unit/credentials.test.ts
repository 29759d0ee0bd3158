/** The files with which running jobs prove which attempt they are. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Assignment } from '../../src/api/contract.ts';
import { jobToken } from '../../src/base/job-credential.ts';
import { openJobClient } from '../../src/cli/connection/job-client.ts';
import type { Context } from '../../src/cli/context/context.ts';
import { type Credentials, openCredentials } from '../../src/worker/files/credentials.ts';

const workerId = 'a'.repeat(32);
const key = 'k'.repeat(64);
let directory: string;
let credentials: Credentials;

function give(attempt: number): string {
  return credentials.give({ attempt } as Assignment).TORC_JOB_TOKEN_FILE ?? '';
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'credentials-'));
  credentials = openCredentials(directory, workerId);
  credentials.greeted(key);
});

afterEach(() => {
  credentials.close();
  rmSync(directory, { recursive: true });
});

describe('credentials of jobs', () => {
  it('gives running jobs files of their own, and an ended one to the next job, with nothing of the old one in it', () => {
    const [long, other] = [give(1_000_000), give(1_000_001)];
    expect(long).not.toBe(other);
    credentials.take(1_000_000);
    const next = give(7);
    expect(next).toBe(long);
    expect(readFileSync(next, 'utf8')).toBe(`${jobToken(key, { workerId, attempt: 7 })}\n`);
    expect(readFileSync(other, 'utf8')).toBe(`${jobToken(key, { workerId, attempt: 1_000_001 })}\n`);
    expect(new Set([give(8), next, other]).size).toBe(3);
    credentials.close();
    expect(existsSync(dirname(next))).toBe(false);
  });

  it('is not taken by a process that its job left behind', () => {
    const path = give(1);
    const client = (attempt: string) => {
      const env = { TORC_JOB_TOKEN_FILE: path, TORC_JOB_DIR: directory, TORC_ATTEMPT_KEY: attempt };
      return openJobClient({ directory, env } as unknown as Context);
    };
    expect(client('1')).toMatchObject({ attempt: '1' });
    credentials.take(1);
    give(2);
    expect(client('1')).toBeNull();
    expect(client('2')).toMatchObject({ attempt: '2' });
  });
});
