/** Notification rules of a specification, checked; the files that they name get absolute paths. */
import { posix } from 'node:path';
import { type NotificationRule, type NotificationTarget, usualEvents, webhookProblem } from '../notification.ts';
import { quoted } from '../spec/names.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { NotificationSpec } from '../spec/reactions.ts';
import { expandPath, type PathPlace, PathProblem } from './file-paths.ts';

/** Undefined where the specification says nothing about notifications. */
export function expandNotifications(
  specs: readonly NotificationSpec[] | null | undefined,
  place: PathPlace | null,
  findings: Findings,
): { notifications?: NotificationRule[] } {
  if (specs == null) return {};
  const rules = specs.flatMap(({ on, to }, index) => {
    const events = [...new Set(on == null ? usualEvents : typeof on === 'string' ? [on] : on)];
    return targetsOf(to, ['notifications', index, 'to'], place, findings).map((target) => ({ events, ...target }));
  });
  return { notifications: rules };
}

/** One for each address, so that each gets its message once, whatever the mail server thinks of the others. */
function targetsOf(
  to: NotificationSpec['to'],
  path: SpecPath,
  place: PathPlace | null,
  findings: Findings,
): NotificationTarget[] {
  const { email, webhook, webhook_file, command, token_file } = to;
  const given = Object.entries({ email, webhook, webhook_file, command }).filter(([, value]) => value != null);
  if (given.length !== 1) {
    const words = given.length === 0 ? 'nothing' : given.map(([key]) => key).join(' and ');
    findings.add(path, () => `found ${words}, expected one of email, webhook, webhook_file and command`);
  }
  const fileOf = (key: 'webhook_file' | 'token_file', file: string) => absolute(file, [...path, key], place, findings);
  const tokenFile = token_file == null ? null : fileOf('token_file', token_file);
  if (tokenFile !== null && webhook == null && webhook_file == null) {
    findings.add([...path, 'token_file'], () => 'belongs to a webhook, and there is none');
  }
  if (email != null) {
    return addresses(email, path, findings).map((target) => ({ kind: 'email', target, tokenFile }));
  }
  if (webhook_file != null) {
    return [{ kind: 'webhook_file', target: fileOf('webhook_file', webhook_file), tokenFile }];
  }
  if (webhook != null) {
    const problem = webhookProblem(webhook, tokenFile !== null);
    if (problem !== null) findings.add([...path, 'webhook'], () => problem);
    return [{ kind: 'webhook', target: webhook, tokenFile }];
  }
  return [{ kind: 'command', target: command ?? '', tokenFile }];
}

/** Nothing that a mail program could take for a second address, a name or a header. */
const address = /^[^\s@<>()[\]",;:\\]+@[^\s@<>()[\]",;:\\]+$/u;

function addresses(given: string | readonly string[], path: SpecPath, findings: Findings): readonly string[] {
  const list = typeof given === 'string' ? [given] : given;
  for (const [index, each] of list.entries()) {
    if (address.test(each)) continue;
    const at = typeof given === 'string' ? [...path, 'email'] : [...path, 'email', index];
    findings.add(at, () => `${quoted(each)} is not an e-mail address; several are a list`);
  }
  return [...new Set(list)];
}

function absolute(file: string, path: SpecPath, place: PathPlace | null, findings: Findings): string {
  if (place === null) return file;
  try {
    return posix.resolve(place.directory, expandPath(file, place));
  } catch (error) {
    if (!(error instanceof PathProblem)) throw error;
    findings.add(path, () => error.message);
    return file;
  }
}
