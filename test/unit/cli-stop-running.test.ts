import { describe, expect, it } from 'vitest';
import type { Api } from '../../src/api/contract.ts';
import { whileStopped } from '../../src/cli/actions/workflows-stop-running.ts';
import { createContext } from '../../src/cli/context/context.ts';
import type { InterruptHandler } from '../../src/cli/context/interrupts.ts';
import { fakeTerminal } from './cli-fakes.ts';

describe('stopping running jobs before a restart', () => {
  it('an interrupt counts even if the last job ends before the next check: no restart, claims resume', async () => {
    const handlers: InterruptHandler[] = [];
    const interrupts = {
      handle(handler: InterruptHandler) {
        handlers.push(handler);
        return () => {};
      },
      exit: () => {},
    };
    const context = createContext({}, { terminal: fakeTerminal(), interrupts, env: { HOME: '/home/a' } });
    const asked: boolean[] = [];
    const call = async (_endpoint: string, { stop }: { stop: boolean }) => {
      asked.push(stop);
      handlers[0]?.('SIGINT');
      return { num_stopping: 0, running: [] };
    };
    let isRestarted = false;
    const work = async () => {
      isRestarted = true;
    };
    const api = { call: call as Api['call'], close: async () => {} };
    const stopping = whileStopped(context, api, '7', { timeout: 60 }, work);
    await expect(stopping).rejects.toMatchObject({ code: 'interrupted' });
    expect([isRestarted, asked]).toEqual([false, [true, false]]);
  });
});
