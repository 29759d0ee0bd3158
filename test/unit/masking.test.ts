/** Nothing that looks like a secret is passed on, and what only sounds like one stays. */
import { describe, expect, it } from 'vitest';
import { secretValues, withoutSecrets } from '../../src/base/masking.ts';

describe('texts without secrets', () => {
  it.each([
    ['API_TOKEN=abc123 run', 'API_TOKEN=*** run'],
    ["export DB_PASSWORD='a b c'; run", "export DB_PASSWORD='***'; run"],
    ['{"api_key": "x-1", "name": "a"}', '{"api_key": "***", "name": "a"}'],
    ['curl --token s3cr3t https://x', 'curl --token *** https://x'],
    ['AWS_SECRET_ACCESS_KEY: abc', 'AWS_SECRET_ACCESS_KEY: ***'],
    ['Authorization: Bearer abcdef.ghi-jkl', 'Authorization: Bearer ***'],
    ['git clone https://me:pw123@host/r', 'git clone https://***@host/r'],
    ['ghp_0123456789abcdefABCDEF done', '*** done'],
    ['post https://hooks.slack.com/services/T0/B0/xyz now', 'post *** now'],
    ['-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx', '***\nx'],
    ['the known one is hunter22', 'the known one is ***'],
    [JSON.stringify({ command: 'MY_SECRET="q" run' }), JSON.stringify({ command: 'MY_SECRET="***" run' })],
  ])('%s', (text, wanted) => {
    expect(withoutSecrets(text, ['hunter22'])).toBe(wanted);
  });

  it.each([
    '{"job_key":"12","workflow_key":"3"}',
    "KeyError: 'a'",
    'sorted by key: name',
    '"token_file": "/a/b"',
    '"api_key": null',
  ])('%s stays', (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });

  it('knows the values of variables by their names', () => {
    expect(secretValues({ HOME: '/h', MY_TOKEN: 'abc', PASSWORD: 'def', MONKEYS: undefined })).toEqual(['abc', 'def']);
  });
});
