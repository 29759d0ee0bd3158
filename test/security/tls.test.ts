/** Somebody between client and server, or in the server's place. */
import { X509Certificate } from 'node:crypto';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readServerFile, type ServerFile, writeServerFile } from '../../src/api/server-file.ts';
import { loadIdentity } from '../../src/server/http/certificate.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { portOf } from './as-other-user.ts';

let place: Place;
let file: ServerFile;
let forged: { key: string; cert: string };

beforeAll(async () => {
  // everything that the environment can take away
  const weak = '--tls-min-v1.0 --tls-cipher-list=ALL:@SECLEVEL=0';
  place = newPlace({ NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_OPTIONS: weak });
  await place.torc('server', 'start', '--daemon');
  const found = readServerFile(place.dir);
  if (found === null) throw new Error('no server is registered');
  file = found;
  const made = await generate([{ name: 'commonName', value: 'torc' }], { keyType: 'ec', curve: 'P-256' });
  forged = { key: made.private, cert: made.cert };
});
afterAll(() => place?.remove());

/** What reaches `server` when a command is run against it in the place of the real one, and how the command ends. */
async function lured(server: Server) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  writeServerFile(place.dir, { ...file, addresses: [`127.0.0.1:${port}`] });
  try {
    return await place.torc('-c', 'debug', 'server', 'info');
  } finally {
    writeServerFile(place.dir, file);
    server.close();
  }
}

it('a new certificate is valid for nodes whose clocks are some hours behind, and for years', async () => {
  const { certificate } = await loadIdentity(place.dir);
  const { validFrom, validTo } = new X509Certificate(certificate);
  const hourMs = 3_600_000;
  expect(Date.parse(validFrom)).toBeLessThan(Date.now() - 12 * hourMs);
  expect(Date.parse(validTo)).toBeGreaterThan(Date.now() + 5 * 365 * 24 * hourMs);
});

describe('a client', () => {
  it('speaks to the real server', async () => {
    expect((await place.torc('server', 'info')).code).toBe(0);
  });

  it('says nothing to a server with another certificate of the same name, even when told not to verify', async () => {
    const heard: unknown[] = [];
    const ended = await lured(createHttpsServer(forged, (incoming) => heard.push(incoming.headers)));
    expect(ended.code).toBe(5);
    expect(heard).toEqual([]);
    expect(ended.stdout + ended.stderr).not.toContain(file.token);
  });

  it('does not fall back to plain HTTP or to TLS older than 1.2', async () => {
    let heard = '';
    const plain = createTcpServer((socket) => {
      socket.on('data', (bytes) => {
        heard += bytes.toString('latin1');
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
      });
      socket.on('error', () => {});
    });
    expect((await lured(plain)).code).toBe(5);
    expect(heard).not.toBe('');
    expect(heard).not.toContain('Bearer');
    // with the real certificate, so that nothing else can be the reason
    const { key, certificate: cert } = await loadIdentity(place.dir);
    const versions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const;
    const old = createTlsServer({ key, cert, ...versions, ciphers: 'ALL:@SECLEVEL=0' });
    old.on('secureConnection', (socket) => socket.on('error', () => {}));
    const seen: string[] = [];
    old.on('secureConnection', (socket) => socket.on('data', (bytes) => seen.push(String(bytes))));
    expect((await lured(old)).code).toBe(5);
    expect(seen).toEqual([]);
  });
});

describe('the server', () => {
  it('does not answer plain HTTP', async () => {
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(portOf(file), '127.0.0.1', () => {
        socket.write(`POST /v1/server_info HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${file.token}\r\n\r\n`);
      });
      socket.on('data', (bytes) => (text += bytes));
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
    });
    expect(answer).not.toContain('HTTP/');
  });

  it.each([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('with %s: %s', async (version, isAccepted) => {
    const settled = await new Promise<boolean>((resolve) => {
      const socket = connectTls(
        {
          host: '127.0.0.1',
          port: portOf(file),
          rejectUnauthorized: false,
          minVersion: version === 'TLSv1.1' ? 'TLSv1' : version,
          maxVersion: version,
          ciphers: 'ALL:@SECLEVEL=0',
        },
        () => {
          socket.destroy();
          resolve(true);
        },
      );
      socket.on('error', () => resolve(false));
    });
    expect(settled).toBe(isAccepted);
  });
});
