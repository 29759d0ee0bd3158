/** Notifications in specifications, in every syntax, and their messages in words. */
import { describe, expect, it } from 'vitest';
import { notificationSpecs } from '../../src/cli/documents/export-spec-parts.ts';
import { messageText } from '../../src/model/decide/message-text.ts';
import { expandSpec } from '../../src/model/expand/expand.ts';
import { expandValue } from '../../src/model/expand/read.ts';
import { shownTarget, type ToldFacts } from '../../src/model/notification.ts';
import { parseSpec } from '../support/specification.ts';

const jobs = [{ name: 'a', command: 'true' }];
const rules = (notifications: unknown) => {
  return expandValue({ name: 'w', jobs, notifications }, { file: 'spec', place }).workflow.notifications;
};
const place = { directory: '/study', home: '/home/user', variables: {} };

describe('notifications', () => {
  const usual = ['done', 'failed', 'timeout', 'canceled'];

  it('are the same in all syntaxes', () => {
    const yaml = `name: w
jobs: [{name: a, command: "true"}]
notifications:
  - to: {email: [me@example.org, you@example.org]}
  - {on: job_failed, to: {command: ./tell}}
  - {on: [failed, waiting], to: {webhook_file: ~/url, token_file: token}}
`;
    const json5 = `{name: 'w', jobs: [{name: 'a', command: 'true'}], notifications: [
      {to: {email: ['me@example.org', 'you@example.org']}}, {on: 'job_failed', to: {command: './tell'}},
      {on: ['failed', 'waiting'], to: {webhook_file: '~/url', token_file: 'token'}}]}`;
    const kdl = `name "w"
job "a" command="true"
notification { to { email "me@example.org" "you@example.org"; }; }
notification on="job_failed" { to command="./tell"; }
notification {
  on "failed" "waiting"
  to webhook_file="~/url" token_file="token"
}
`;
    const written = { 'w.yaml': yaml, 'w.json5': json5, 'w.kdl': kdl };
    const mail = { events: usual, kind: 'email', tokenFile: null };
    for (const [file, text] of Object.entries(written)) {
      expect(expandSpec(parseSpec(text, { file }), { file, where: () => [], place }).notifications, file).toEqual([
        { ...mail, target: 'me@example.org' },
        { ...mail, target: 'you@example.org' },
        { events: ['job_failed'], kind: 'command', target: './tell', tokenFile: null },
        { events: ['failed', 'waiting'], kind: 'webhook_file', target: '/home/user/url', tokenFile: '/study/token' },
      ]);
    }
    expect(rules(null)).toBeUndefined();
  });

  it('are refused at their places, without repeating a URL', () => {
    const wrong = [
      { to: {} },
      { to: { email: 'me@example.org', command: 'x' } },
      { to: { email: ['Me <me@example.org>', 'a@b\nBcc: c@d'] } },
      { to: { webhook: 'https://me:SECRET@example.org' } },
      { to: { webhook: 'ftp://example.org/SECRET' } },
      { to: { webhook: 'http://example.org/SECRET', token_file: 't' } },
      { to: { command: 'x', token_file: 't' } },
    ];
    const message = messageOf(() => rules(wrong));
    expect(message.split('\n').map((line) => line.replace(/^spec:\d+:\d+: /, ''))).toEqual([
      'notifications[0].to: found nothing, expected one of email, webhook, webhook_file and command',
      'notifications[1].to: found email and command, expected one of email, webhook, webhook_file and command',
      'notifications[2].to.email[0]: "Me <me@example.org>" is not an e-mail address; several are a list',
      expect.stringContaining('notifications[2].to.email[1]: '),
      'notifications[3].to.webhook: contains a user or a password; name a file with a token (token_file)',
      'notifications[4].to.webhook: is not a URL that begins with https:// or http://',
      'notifications[5].to.webhook: would get the token unencrypted: use https://',
      'notifications[6].to.token_file: belongs to a webhook, and there is none',
    ]);
    expect(message).not.toContain('SECRET');
    expect(messageOf(() => rules([{ on: 'end', to: { command: 'x' } }]))).toContain(
      'one of done, failed, timeout, canceled, job_failed, waiting, or a list of them',
    );
  });

  it('are exported as they were written, a webhook only by its file', () => {
    const exported = notificationSpecs([
      { events: ['failed'], kind: 'email', target: 'me@example.org', token_file: null },
      { events: ['done'], kind: 'webhook', target: null, token_file: null },
      { events: ['done'], kind: 'webhook_file', target: '/u', token_file: '/t' },
    ]);
    expect(rules(exported)).toEqual([
      { events: ['failed'], kind: 'email', target: 'me@example.org', tokenFile: null },
      { events: ['done'], kind: 'webhook_file', target: '/u', tokenFile: '/t' },
    ]);
    expect(shownTarget({ kind: 'webhook', target: 'https://hooks.example.org:8443/SECRET' })).toBe(
      'https://hooks.example.org:8443/..',
    );
  });
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'nothing was thrown';
}

describe('the message', () => {
  const facts: ToldFacts = {
    event: 'failed',
    workflow_key: '7',
    name: 'sweep',
    user: 'me',
    run_id: 2,
    status: 'failed',
    counts: { jobs: 10, succeeded: 6, failed: 1, canceled: 1, terminated: 1, lost: 1, unfinished: 0 },
    cut_off_by: 'max_failures',
    started_at: 0,
    told_at: 90_000,
    jobs: [
      {
        job_key: '12',
        name: 'a\x1b[31m\nb',
        status: 'done',
        cause: 'oom',
        return_code: 137,
        attempt_id: 2,
        has_log: true,
      },
      { job_key: '13', name: 'c', status: 'lost', cause: null, return_code: null, attempt_id: 1, has_log: false },
    ],
    num_concerned: 3,
  };
  const at = { torc: 'torc', hostname: 'login1' };

  it('of a failed run names causes, counts and what to type next', () => {
    expect(messageText(facts, at)).toEqual({
      subject: 'torc: workflow 7 (sweep) failed: 1 of 10 jobs failed',
      text: `Workflow 7 (sweep) of me failed: 1 of 10 jobs failed (run 2, after 1m 30s). Too many jobs failed (max_failures), so what had not started was canceled.

10 jobs: 6 succeeded, 1 failed, 1 canceled, 1 terminated, 1 lost

Cause:
  job 12 (a\\x1b[31m\\nb): return code 137 (oom), attempt 2
  job 13 (c): lost
  and 1 more

Next:
  torc jobs logs 12 --stderr
  torc jobs diagnose -k 7
  torc workflows reset-status 7 --failed-only --restart

From torc on login1: torc notifications list 7
`,
    });
  });

  it('has a subject of its own for each event', () => {
    const events = ['done', 'timeout', 'canceled', 'job_failed', 'waiting', 'test'] as const;
    expect(
      events.map((event) => messageText({ ...facts, event }, at).subject.replace('torc: workflow 7 (sweep) ', '')),
    ).toEqual([
      'is done',
      'reached its timeout',
      'was canceled',
      'has 3 failed jobs',
      'waits for a worker',
      'sends a test message',
    ]);
  });
});
