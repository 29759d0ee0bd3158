/** `torc server relay`: the end of a relay on a node, which the server starts. It sees only what TLS has encrypted. */
import { createServer, type Server } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { RelayCarrier } from '../../api/relay-carrier.ts';
import { greetingLine } from '../../api/relay-frames.ts';
import type { Context } from '../context/context.ts';

export interface RelayOptions {
  allNodes?: boolean;
}

const mostConnections = 4096;

/** Carries connections to the server at the other end of standard input and output, until that is closed. */
export async function runRelay(context: Context, { allNodes = false }: RelayOptions): Promise<void> {
  const { stdin: input, stdout: output } = process;
  const listener = createServer({ allowHalfOpen: true });
  listener.maxConnections = mostConnections;
  const port = await listen(listener, allNodes ? '0.0.0.0' : '127.0.0.1');
  const addresses = allNodes ? addressesOfHost().map((address) => `${address}:${port}`) : [];
  const reason = await new Promise<string>((resolve) => {
    output.write(greetingLine({ hostname: hostname(), port, addresses }));
    const carrier = new RelayCarrier({ input, output, over: resolve });
    listener.on('connection', (socket) => carrier.carry(socket));
    const removeHandler = context.interrupts.handle(() => {
      removeHandler();
      carrier.end('it was told to end');
    });
  });
  listener.close();
  input.destroy();
  context.terminal.err(`torc-relay: ${reason}\n`);
}

function listen(listener: Server, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, host, () => {
      const address = listener.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

function addressesOfHost(): string[] {
  const numeric = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  return [hostname(), ...numeric];
}
