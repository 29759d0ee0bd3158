import { expect, it } from 'vitest';
import { StartWait } from '../../src/cli/connection/start-wait.ts';
import { fakeClock, fakeContext, fakeTerminal } from './cli-fakes.ts';

/** Looks every tenth of a second; returns the seconds after which it gives up, at most `longest`. */
async function waited(
  evidence: { work: (seconds: number) => string | null; isOlder: (seconds: number) => boolean },
  { isTerminal = false, longest = 200 } = {},
): Promise<{ seconds: number; why: string | null; shown: string }> {
  const clock = fakeClock();
  const terminal = fakeTerminal(isTerminal);
  const seconds = () => clock.now() / 1000;
  const wait = new StartWait(
    { ...fakeContext(terminal), clock },
    {
      work: () => evidence.work(seconds()),
      olderDatabaseBytes: async () => (evidence.isOlder(seconds()) ? 5 * 1024 ** 3 : null),
    },
  );
  let why: string | null = null;
  while (why === null && seconds() < longest) {
    await wait.look('/d/server.log').catch((error) => {
      why = error.message;
    });
    if (why === null) clock.move(100);
  }
  wait.end();
  return { seconds: Math.floor(seconds()), why, shown: terminal.stderr.join('') };
}

it('a server that does not answer is given up after 30 seconds, whatever it works', async () => {
  expect(await waited({ work: String, isOlder: () => false })).toEqual({
    seconds: 30,
    why: 'the server did not answer within 30 seconds',
    shown: '',
  });
});

it('an upgrade is waited for while the process works, and is told once in a pipe', async () => {
  const found = await waited({ work: String, isOlder: () => true });
  expect(found).toEqual({
    seconds: 200,
    why: null,
    shown: 'upgrading the database (5G) for this version of torc; this command waits until it is done\n',
  });
  expect((await waited({ work: String, isOlder: (seconds) => seconds < 100 })).seconds).toBe(129);
});

it('an upgrade that stands still is given up', async () => {
  const found = await waited({ work: (seconds) => String(Math.min(seconds, 60)), isOlder: () => true });
  expect(found).toMatchObject({ seconds: 90, why: expect.stringContaining('no progress for 30 seconds') });
  expect(await waited({ work: () => null, isOlder: () => true })).toMatchObject({ seconds: 30 });
});

it('on a terminal a line is there while the upgrade goes on', async () => {
  const { shown } = await waited({ work: String, isOlder: () => true }, { isTerminal: true, longest: 5 });
  expect(shown).toContain('upgrading the database (5G) for this version of torc: 4 s');
  expect(shown).not.toContain('\n');
});
