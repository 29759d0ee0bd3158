/** `torc dash`: the dashboard in a browser, until Ctrl-C. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createPrivateFile } from '../../base/trusted/private.ts';
import { type Asked, answerTo, isAnswer } from '../answers/answers.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { pasteable } from '../context/pasteable.ts';
import { isForwarded } from '../dash/forwarded.ts';
import { type Listener, listen } from '../dash/listener.ts';
import { pageFiles } from '../dash/page-files.ts';
import { chooseWorkflow, isWorkflowStated } from '../input/workflow-key.ts';
import { FailedJobs } from '../output/failures.ts';
import { printResult } from '../output/output.ts';

export interface DashOptions {
  port?: number;
  /** False with `--no-open`. */
  open: boolean;
}

export async function showDashboard(context: Context, key: string | null, options: DashOptions): Promise<void> {
  const files = pageFiles();
  await withConnection(
    context,
    async ({ api }) => {
      const isAboutOne = key !== null || isWorkflowStated(context);
      const start = isAboutOne ? `#/workflows/${await chooseWorkflow(context, api, key, 'reads')}` : '';
      const opener = new Opener(context);
      const failed = new FailedJobs(context.clock);
      const listener = await listen({
        port: options.port ?? 0,
        files,
        start,
        answer: (name, request, signal) => answered({ context, api, failed }, name, request, signal),
        loggedIn: (nextUrl) => {
          opener.remove();
          note(context, `A browser has logged in. The link for another one: ${nextUrl}`);
        },
        failed: (error) => note(context, `a request of the dashboard failed: ${error.message}`, 'warning'),
      });
      try {
        await print(context, listener);
        if (options.open) opener.open(listener.url());
        await interrupted(context);
      } finally {
        opener.remove();
        await listener.close();
      }
    },
    { serves: true },
  );
}

function answered(asked: Asked, name: string, request: unknown, signal: AbortSignal): Promise<object> | null {
  // the server checks the request
  const answer = isForwarded(name)
    ? (asked.api.call(name, request as never, { signal }) as Promise<object>)
    : isAnswer(name)
      ? answerTo(asked, name, request, signal)
      : null;
  if (answer === null) return null;
  return answer.catch((error) => {
    throw pasteable(error, asked.context);
  });
}

async function print(context: Context, listener: Listener): Promise<void> {
  const [url, port] = [listener.url(), listener.port];
  const ssh_command = `ssh -N -L ${port}:127.0.0.1:${port} ${context.user}@${hostname()}`;
  await printResult(context, { url, port, ssh_command }, () => {
    return `Open this link, which works once:\n\n  ${url}\n\nFrom another machine, first type there:\n\n  ${ssh_command}\n\n`;
  });
  note(context, 'Ctrl-C ends the dashboard; the workflows go on.');
}

/** Resolves at Ctrl-C. */
function interrupted({ interrupts }: Context): Promise<void> {
  return new Promise((resolve) => {
    const remove = interrupts.handle(() => {
      remove();
      resolve();
    });
  });
}

/**
 * Opens the link in a browser on this machine, where there is one. A command line is visible to everyone, so the browser
 * gets a file of ours that leads to the link.
 */
class Opener {
  readonly #context: Context;
  readonly #path: string;

  constructor(context: Context) {
    this.#context = context;
    this.#path = join(context.directory, `dash-${process.pid}.html`);
  }

  open(url: string): void {
    const { env, format } = this.#context;
    const hasScreen = [env.DISPLAY, env.WAYLAND_DISPLAY].some((each) => (each ?? '') !== '');
    // over ssh the browser of the other end is the wrong one
    if (!hasScreen || (env.SSH_CONNECTION ?? '') !== '' || format !== 'text') return;
    this.remove();
    createPrivateFile(
      this.#path,
      `<!doctype html><title>torc</title><meta http-equiv="refresh" content="0; url=${url}">\n`,
    );
    const child = spawn('xdg-open', [this.#path], { detached: true, stdio: 'ignore' });
    // the link is printed anyway
    child.on('error', () => {});
    child.unref();
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
