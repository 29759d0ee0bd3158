/** The lines between a client and the protocol: what is no message is answered here, and requests are answered before the end. */
import { createInterface } from 'node:readline';
import { PassThrough, type Readable, Writable } from 'node:stream';

/** After the client has closed its end, an answer that takes longer is given up. */
const lastWaitMs = 60_000;

type Id = string | number;
type Fields = Record<string, unknown>;

export interface Lines {
  /** What the protocol reads: messages only. It ends when the client has closed its end and its requests are answered. */
  input: Readable;
  /** Where the protocol writes. */
  output: Writable;
  /** Reads no more, and ends the input at once. */
  close(): void;
}

/** Between these two streams, which are usually stdin and stdout. */
export function checkedLines(from: Readable, to: Writable): Lines {
  const input = new PassThrough();
  const open = new Set<Id>();
  /** What the client was asked; it answers nothing any more once it has closed its end. */
  const asked = new Set<Id>();
  let hasClosed = false;
  const endIfAnswered = (): void => {
    if (hasClosed && (open.size === 0 || asked.size > 0)) input.end();
  };
  const refuse = (id: Id | null, code: number, message: string): void => {
    to.write(`${JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })}\n`);
  };
  const lines = createInterface({ input: from, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    const message = parsed(line);
    if (message === undefined) return refuse(null, -32_700, 'Parse error: a line is one message, in JSON');
    const fault = faultOf(message);
    if (fault !== null) return refuse(idOf(message), -32_600, `Invalid request: ${fault}`);
    const { method, id, params } = message as Fields;
    if (String(method).startsWith('notifications/cancel')) open.delete((params as Fields | undefined)?.requestId as Id);
    else if (method === undefined) asked.delete(id as Id);
    // a subscription stays open as long as the connection
    else if (id !== undefined && !String(method).startsWith('subscriptions/')) open.add(id as Id);
    input.write(`${line}\n`);
  });
  lines.on('close', () => {
    hasClosed = true;
    setTimeout(() => input.end(), lastWaitMs).unref();
    endIfAnswered();
  });
  const output = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, written) {
      to.write(text, (error) => {
        const { method, id } = parsed(text) as Fields;
        if (method === undefined) open.delete(id as Id);
        else if (id !== undefined) asked.add(id as Id);
        written(error);
        endIfAnswered();
      });
    },
  });
  const close = (): void => {
    lines.close();
    from.destroy();
    input.destroy();
  };
  return { input, output, close };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Why something is no message of JSON-RPC; null for one. */
function faultOf(message: unknown): string | null {
  if (Array.isArray(message)) return 'batches are not supported; send one message in a line';
  if (typeof message !== 'object' || message === null) return 'a message is an object';
  const { jsonrpc, method, id, params, result, error } = message as Fields;
  if (jsonrpc !== '2.0') return '"jsonrpc" must be "2.0"';
  if (id !== undefined && idOf(message) === null) return '"id" must be a string or a whole number';
  if (params !== undefined && !isObject(params)) return '"params" must be an object';
  if (method !== undefined) return typeof method === 'string' ? null : '"method" must be a string';
  if (id !== undefined && (isObject(result) || isObject(error))) return null;
  return 'a message has a "method", or an "id" with an object as "result" or "error"';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function idOf(message: unknown): Id | null {
  const id = isObject(message) ? (message as Fields).id : null;
  return typeof id === 'string' || Number.isSafeInteger(id) ? (id as Id) : null;
}
