/** The dashboard's listener: who gets in, which requests count as its own page's, and what its answers allow. */
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { type Listener, listen } from '../../src/cli/dash/listener.ts';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

let listener: Listener;
let asked: { name: string; request: unknown }[];
let nextUrls: string[];

beforeEach(async () => {
  asked = [];
  nextUrls = [];
  listener = await listen({
    port: 0,
    start: '#/workflows/7',
    files: new Map([
      ['index.html', { type: 'text/html; charset=utf-8', body: Buffer.from('<!doctype html>page') }],
      ['page.js', { type: 'text/javascript; charset=utf-8', body: Buffer.from('1') }],
    ]),
    answer: (name, given) => {
      asked.push({ name, request: given });
      if (name === 'bad') return Promise.reject(new TorcError('not_found', 'there is no job 7', 'torc jobs list'));
      return name === 'list' ? Promise.resolve({ records: [], more: false }) : null;
    },
    loggedIn: (url) => nextUrls.push(url),
    failed: () => {},
  });
});
afterEach(() => listener.close());

function ask(path: string, headers: OutgoingHttpHeaders = {}, method = 'GET', body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: listener.port, path, method, headers }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const pathOf = (url: string): string => new URL(url).pathname;
const placeOf = (url: string): string => `/${pathOf(url).split('/')[1]}/`;

/** Logs a browser in; returns the header that it sends from then on. */
async function login(): Promise<string> {
  const { status, headers } = await ask(pathOf(listener.url()));
  expect(status).toBe(200);
  return String(headers['set-cookie']?.[0]?.split(';')[0]);
}

function fromPage(cookie: string, more: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
  const origin = `http://127.0.0.1:${listener.port}`;
  return { cookie, origin, 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', ...more };
}

const post = (headers: OutgoingHttpHeaders, name = 'list', body = '{"list":"jobs"}') =>
  ask(`${placeOf(listener.url())}v1/${name}`, headers, 'POST', body);

describe('the dashboard', () => {
  it('logs a browser in once for each link, with a strict cookie for its own path', async () => {
    const first = listener.url();
    const { status, headers, text } = await ask(pathOf(first));
    expect(status).toBe(200);
    const place = placeOf(first);
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/^torc_[0-9a-f]{24}=[\w-]{43}; Path=/)]);
    expect(headers['set-cookie']?.[0]).toMatch(new RegExp(`; Path=${place}; HttpOnly; SameSite=Strict$`));
    expect(text).toContain(`url=${place}#/workflows/7"`);
    const again = await ask(pathOf(first));
    expect(again).toMatchObject({ status: 403, text: expect.stringContaining('already used') });
    expect(again.headers['set-cookie']).toBeUndefined();
    // another browser gets the next link
    expect(nextUrls).toEqual([listener.url()]);
    expect(listener.url()).not.toBe(first);
    expect(placeOf(listener.url())).toBe(place);
    await login();
  });

  it('does not use a link up for what only looks at it, nor let anyone guess', async () => {
    const path = pathOf(listener.url());
    expect((await ask(path, {}, 'HEAD')).status).toBe(405);
    expect((await ask(path, {}, 'POST')).status).toBe(405);
    expect((await ask(`${path.slice(0, -1)}_`)).status).toBe(403);
    expect((await ask(`${placeOf(listener.url())}login/`)).status).toBe(403);
    expect((await ask(path)).status).toBe(200);
  });

  it('refuses everything without the cookie, the files too', async () => {
    const place = placeOf(listener.url());
    const cookie = await login();
    const name = cookie.split('=')[0];
    for (const header of ['', `${name}=`, `${name}=${'A'.repeat(43)}`, `other=${cookie.split('=')[1]}`]) {
      for (const path of ['', 'index.html', 'page.js', 'nothing']) {
        const answer = await ask(`${place}${path}`, { cookie: header });
        expect(answer, `${path} ${header}`).toMatchObject({ status: 401 });
        expect(answer.text).not.toContain('doctype');
      }
      expect(await post(fromPage(header))).toMatchObject({
        status: 401,
        text: expect.stringContaining('"code":"unauthorized"'),
      });
    }
    // nor does it say where it is
    for (const path of ['/', '/page.js', '/v1/list', '/login/x', '/favicon.ico']) {
      const answer = await ask(path, { cookie });
      expect(answer.status).toBe(404);
      expect(answer.text).not.toContain(place.slice(1, -1));
    }
    expect(asked).toEqual([]);
    expect(await ask(place, { cookie })).toMatchObject({ status: 200, text: '<!doctype html>page' });
    expect(await ask(place, { cookie: `a=b; ${cookie}; c=d` })).toMatchObject({ status: 200 });
  });

  it('answers only its own page: no other origin, host, method or type of request', async () => {
    const cookie = await login();
    expect(await post(fromPage(cookie))).toMatchObject({ status: 200, text: '{"records":[],"more":false}' });
    expect(asked).toEqual([{ name: 'list', request: { list: 'jobs' } }]);
    asked = [];
    const { port } = listener;
    const wrong: OutgoingHttpHeaders[] = [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${port + 1}` },
      { origin: `http://127.0.0.1.evil.example:${port}` },
      { origin: `https://127.0.0.1:${port}` },
      { origin: '' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
    ];
    for (const more of wrong) {
      expect(await post(fromPage(cookie, more)), JSON.stringify(more)).toMatchObject({ status: 401 });
    }
    const { origin: _origin, ...without } = fromPage(cookie);
    expect((await post(without)).status).toBe(401);
    expect((await ask(`${placeOf(listener.url())}v1/list`, fromPage(cookie))).status).toBe(401);
    // a name that leads here belongs to another page
    for (const host of ['evil.example', `evil.example:${port}`, `127.0.0.1.evil.example:${port}`, `10.0.0.1:${port}`]) {
      const more = { host, origin: `http://${host}` };
      expect(await post(fromPage(cookie, more)), host).toMatchObject({ status: 403 });
      expect(await ask(placeOf(listener.url()), { cookie, host })).toMatchObject({ status: 403 });
      expect(await ask(pathOf(listener.url()), { host })).toMatchObject({ status: 403 });
    }
    expect(asked).toEqual([]);
    // a tunnel may have another port at its other end
    const tunnel = { host: 'localhost:9000', origin: 'http://localhost:9000' };
    expect(await post(fromPage(cookie, tunnel))).toMatchObject({ status: 200 });
  });

  it('says in every answer what the page may load, and that nothing is kept', async () => {
    const cookie = await login();
    const place = placeOf(listener.url());
    const answers = [
      await ask('/'),
      await ask(place),
      await ask(place, { cookie }),
      await ask(`${place}page.js`, { cookie }),
      await ask(pathOf(listener.url())),
      await post(fromPage(cookie)),
      await post(fromPage(cookie), 'bad'),
      await ask(place, { host: 'evil.example' }),
    ];
    for (const { headers } of answers) {
      const policy = String(headers['content-security-policy']).split('; ');
      expect(policy).toEqual(
        expect.arrayContaining(["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"]),
      );
      expect(policy).toEqual(
        expect.arrayContaining(["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]),
      );
      expect(String(headers['content-security-policy'])).not.toMatch(/unsafe|\*|https?:/);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'x-frame-options': 'DENY',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  it('passes errors on with their hints, and refuses what is too large, no JSON or unknown', async () => {
    const headers = fromPage(await login());
    expect(await post(headers, 'bad')).toMatchObject({
      status: 404,
      text: '{"error":{"code":"not_found","message":"there is no job 7","hint":"torc jobs list"}}',
    });
    expect(await post(headers, 'worker_hello')).toMatchObject({ status: 404 });
    expect(await post(headers, 'list', '{')).toMatchObject({ status: 400 });
    expect(await post(headers, 'list', `"${'a'.repeat(1024 * 1024)}"`)).toMatchObject({ status: 400 });
    expect(await post(headers)).toMatchObject({ status: 200 });
  });

  it('listens on the loopback address only, and says that a port is taken', async () => {
    const options = { start: '', files: new Map(), answer: () => null, loggedIn: () => {}, failed: () => {} };
    await expect(listen({ ...options, port: listener.port })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`cannot listen on 127.0.0.1:${listener.port}`),
      hint: expect.stringContaining('--port'),
    });
    // every address of 127.0.0.0/8 is this host; only one of them is listened on
    const refused = new Promise((resolve) => {
      const outgoing = request({ host: '127.0.0.2', port: listener.port, path: '/' }, () => resolve('answered'));
      outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      outgoing.end();
    });
    expect(await refused).toBe('ECONNREFUSED');
  });
});
