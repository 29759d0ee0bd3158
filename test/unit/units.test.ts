import { describe, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { formatDuration, formatMemory, parseDuration, parseMemory, parseWalltime } from '../../src/base/units.ts';

function refusal(call: () => unknown): TorcError {
  try {
    call();
  } catch (error) {
    if (error instanceof TorcError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('memory', () => {
  it.each([
    ['512m', 512 * 1024 ** 2],
    ['8g', 8 * 1024 ** 3],
    ['1t', 1024 ** 4],
    ['1.5G', 1.5 * 1024 ** 3],
    ['400M', 400 * 1024 ** 2],
    ['100k', 100 * 1024],
    ['.5g', 512 * 1024 ** 2],
    ['2GiB', 2 * 1024 ** 3],
    ['10Gi', 10 * 1024 ** 3],
    ['2gb', 2 * 1024 ** 3],
    ['16 GB', 16 * 1024 ** 3],
    [' 1m ', 1024 ** 2],
    ['2b', 2],
    ['1048576', 1024 ** 2],
    ['0.1k', 102],
  ])('%j is %j bytes', (text, bytes) => {
    expect(parseMemory(text)).toBe(bytes);
  });

  it.each(['', '0', 'g', '-1g', '1e3m', '1,5g', '8x', '8gg', '1..5g', '0x10m', 'NaN', '8g;rm', '9999999999t', '١g'])(
    'refuses %j with an example of what to write',
    (text) => {
      const error = refusal(() => parseMemory(text));
      expect(error.code).toBe('usage');
      expect(error.hint).toContain("'512m'");
    },
  );

  it('does not read a number without a unit as bytes', () => {
    expect(refusal(() => parseMemory('512')).message).toBe(
      '"512" means 512 bytes, too little for any job; did you mean 512m?',
    );
  });

  it('quotes and cuts what it could not read', () => {
    expect(refusal(() => parseMemory(`a\n${'x'.repeat(100)}`)).message).toMatch(/^"a\\nx+\.\.\." is not an amount/);
  });

  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1K'],
    [1536, '1.5K'],
    [1024 ** 2 - 1, '1M'],
    [512 * 1024 ** 2, '512M'],
    [1.5 * 1024 ** 3, '1.5G'],
    [15.26 * 1024 ** 3, '15.3G'],
    [128 * 1024 ** 3, '128G'],
    [3 * 1024 ** 4, '3T'],
  ])('shows %d bytes as %j', (bytes, text) => {
    expect(formatMemory(bytes)).toBe(text);
  });

  it('shows what it can read again', () => {
    for (const bytes of [0, 1, 1024, 5 * 1024 ** 2, 2.5 * 1024 ** 3])
      expect(parseMemory(formatMemory(bytes))).toBe(bytes);
  });
});

describe('durations', () => {
  it.each([
    ['PT1H30M', 5400],
    ['P1DT2H', 93_600],
    ['PT1H', 3600],
    ['pt90s', 90],
    ['P2W', 1_209_600],
    ['PT0.5S', 0.5],
    ['PT1.5H', 5400],
    ['P0D', 0],
    ['PT1H\n', 3600],
    ['04:00:00', 14_400],
    ['1-00:00:00', 86_400],
    ['1-12', 129_600],
    ['1-12:30', 131_400],
    ['90s', 90],
    ['30m', 1800],
    ['30min', 1800],
    ['2h', 7200],
    ['2d', 172_800],
    ['1h30m', 5400],
    ['1d 2h', 93_600],
  ])('%j is %d seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(['', ' ', 'P', 'PT', 'P1DT', 'PT1H30', '1.2.3s', 'P..D', '-5m', '1h-5m', 'P99999999D', '1:2:3:4', 'abc'])(
    'refuses %j',
    (text) => {
      expect(refusal(() => parseDuration(text))).toMatchObject({
        code: 'usage',
        hint: expect.stringContaining('PT1H30M'),
      });
    },
  );

  it.each(['30', '30:00'])('does not guess the unit of %j', (text) => {
    expect(refusal(() => parseDuration(text)).message).toContain('does not say its unit');
  });

  it.each(['P1M', 'P1Y', 'P1Y2M3D', 'P1M2DT1H'])('says why %j has no length', (text) => {
    expect(refusal(() => parseDuration(text)).message).toContain('length varies');
  });

  it.each([
    [0, '0.0 s'],
    [0.34, '0.3 s'],
    [3.44, '3.4 s'],
    [9.96, '10 s'],
    [42.4, '42 s'],
    [59.6, '1m 00s'],
    [245, '4m 05s'],
    [3599.7, '1h 00m'],
    [3720, '1h 02m'],
    [86_399, '1d 00h'],
    [183_600, '2d 03h'],
    [-3, '0.0 s'],
  ])('shows %d seconds as %j', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe('walltimes of Slurm', () => {
  it.each([
    ['30', 1800],
    ['30:15', 1815],
    ['04:00:00', 14_400],
    ['4:0:0', 14_400],
    ['1-00', 86_400],
    ['1-06:30', 109_800],
    ['1-00:00:00', 86_400],
    ['100:00:00', 360_000],
    ['2-12:30:30', 217_830],
  ])('%j is %d seconds', (text, seconds) => {
    expect(parseWalltime(text)).toBe(seconds);
  });

  it.each(['', 'PT1H', '-1', '1-', '1:2:3:4', '1h', '0', '0-00:00:00', '00:00', '99999999-0'])('refuses %j', (text) => {
    expect(refusal(() => parseWalltime(text))).toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('04:00:00'),
    });
  });

  it('refuses a limit that is not one', () => {
    expect(refusal(() => parseWalltime('UNLIMITED')).message).toContain('when an allocation ends');
  });
});
