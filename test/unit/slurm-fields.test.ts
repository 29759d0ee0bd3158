import { describe, expect, it } from 'vitest';
import {
  parseCount,
  parseDuration,
  parseExitStatus,
  parseInstant,
  parseJobId,
  parseSize,
  presentText,
} from '../../src/slurm/fields.ts';

describe('durations', () => {
  it.each([
    ['1:00:00', 3600],
    ['5:00', 300],
    ['0:30', 30],
    ['365-00:00:00', 365 * 86_400],
    ['2-12', 60 * 3600],
    ['1-02:30', 26.5 * 3600],
    ['90', 5400],
    ['UNLIMITED', null],
    ['infinite', null],
    ['Partition_Limit', null],
    ['', null],
    ['-5', null],
    ['1:2:3:4', null],
    ['999999999999999999', null],
    [undefined, null],
  ])('%j is %j seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });
});

describe('instants', () => {
  it.each([
    ['2026-11-21T02:13:33', Date.UTC(2026, 10, 21, 2, 13, 33)],
    ['1795226010', 1_795_226_010_000],
    ['N/A', null],
    ['NONE', null],
    ['Unknown', null],
    ['None', null],
    ['2026-13-41T99:99:99', null],
    ['14:22', null],
    ['', null],
  ])('%j is %j', (text, milliseconds) => {
    expect(parseInstant(text)).toBe(milliseconds);
  });
});

describe('sizes, counts, exit statuses', () => {
  it.each([
    ['208K', 208 * 1024],
    ['0', 0],
    ['1.5M', 1.5 * 1024 * 1024],
    ['200M', 200 * 1024 * 1024],
    ['16?', null],
    ['', null],
    ['999999999999999P', null],
  ])('the size %j is %j bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    ['4', 4],
    ['4+', 4],
    ['', null],
    ['-1', null],
    ['4.5', null],
    ['4+5', null],
  ])('the count %j is %j', (text, count) => {
    expect(parseCount(text)).toBe(count);
  });

  it.each([
    ['0:125', { exitCode: 0, signal: 125 }],
    ['42:0', { exitCode: 42, signal: 0 }],
    ['', null],
    ['42', null],
    [':', null],
  ])('the exit status %j', (text, status) => {
    expect(parseExitStatus(text)).toEqual(status);
  });
});

describe('job ids', () => {
  it.each([
    ['26', '26', null, null],
    ['26.batch', '26', null, 'batch'],
    ['26.extern', '26', null, 'extern'],
    ['26.0', '26', null, '0'],
    ['10_3', '10', '3', null],
    ['10_3.batch', '10', '3', 'batch'],
    ['10_[0-3%2]', '10', '[0-3%2]', null],
    ['12+1', '12', null, null],
    ['12+1.0', '12', null, '0'],
  ])('%j', (text, jobId, arrayTask, step) => {
    expect(parseJobId(text)).toEqual({ jobId, arrayTask, step });
  });

  it.each(['', 'JOBID', '26.', '26 ', '-26', '26_', 'x26', '26;27', '9999999999999999999'])(
    '%j is null or itself',
    (text) => {
      const id = parseJobId(text);
      if (text.trim() === '26') expect(id?.jobId).toBe('26');
      else expect(id).toBeNull();
    },
  );
});

it.each(['', ' ', '(null)', 'N/A', 'None', 'None assigned', 'Unknown'])('%j is Slurm’s word for nothing', (text) => {
  expect(presentText(text)).toBeNull();
});
