/** `torc mcp`: assistants that speak the Model Context Protocol, on stdin and stdout. */
import { TorcError } from '../../base/errors.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { checkedLines } from '../mcp/lines.ts';
import { serve } from '../mcp/serve.ts';

export interface McpCommandOptions {
  readOnly?: boolean;
}

/** Until the client closes its end, or Ctrl-C. */
export async function serveAssistants(context: Context, options: McpCommandOptions): Promise<void> {
  if (process.stdin.isTTY) {
    const hint = 'Name it in the settings of your assistant, as docs/assistants.md shows.';
    throw new TorcError('usage', 'torc mcp is started by an assistant, which speaks to it on stdin', hint);
  }
  // stdout belongs to the protocol, and there is nobody to answer
  const quiet: Context = { ...context, mayAsk: false, format: 'json' };
  let last: Promise<unknown> = Promise.resolve();
  // one after the other: a database that is open twice in a process is not locked against others
  const connect = <T>(work: Parameters<typeof withConnection<T>>[1]): Promise<T> => {
    const next = last.then(() => withConnection(quiet, work));
    last = next.catch(() => {});
    return next;
  };
  const lines = checkedLines(process.stdin, process.stdout);
  const closed = new Promise((resolve) => lines.input.once('close', resolve).once('end', resolve));
  const failed = (error: Error): void => note(context, `torc mcp: ${error.message.split('\n', 1)[0]}`, 'warning');
  const served = serve(
    quiet,
    (work) => connect(({ api }) => work(api)),
    lines,
    { isReadOnly: options.readOnly === true },
    failed,
  );
  const removeHandler = context.interrupts.handle(() => lines.close());
  await closed;
  removeHandler();
  await served.close();
  await last;
}
