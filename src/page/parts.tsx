/** Small parts that every page uses: statuses, bars, times, commands, troubles, empty places. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { StatusLine } from '../api/contract.ts';
import type { CallError } from './call.ts';
import { absoluteTime, formatCount, relativeTime } from './format.ts';
import { useNow, useTorc } from './hooks.ts';

/** A sign for each status, so that color is never all that tells them apart; its color by class; its word, where it is another. */
const signs: Readonly<Record<string, readonly [sign: string, tone: string, word?: string]>> = {
  uninitialized: ['○', 'idle'],
  blocked: ['◌', 'idle'],
  ready: ['◔', 'ready'],
  waiting: ['◔', 'ready'],
  submitted_pending: ['◑', 'running', 'taken'],
  submitted: ['▶', 'running', 'running'],
  running: ['▶', 'running'],
  done: ['✓', 'good'],
  success: ['✓', 'good'],
  failed: ['✗', 'bad'],
  lost: ['?', 'bad'],
  timeout: ['✗', 'bad'],
  canceled: ['⊘', 'warn'],
  terminated: ['⊘', 'warn'],
  paused: ['‖', 'warn'],
  disabled: ['–', 'idle'],
  refused: ['✗', 'bad'],
  ended: ['–', 'idle'],
  recorded: ['○', 'idle'],
};

/** `word`: what stands there instead of the status. */
export function Status({ of, word }: { of: string; word?: string }) {
  const { sign, tone, word: own } = signOf(of);
  return (
    <span class={`status ${tone}`}>
      <span aria-hidden="true">{sign}</span> {word ?? own}
    </span>
  );
}

export function signOf(status: string): { sign: string; tone: string; word: string } {
  const [sign, tone, word = status] = signs[status] ?? ['·', 'idle'];
  return { sign, tone, word };
}

/** That of an allocation: a submitted one waits in Slurm. */
export function AllocationStatus({ of, count }: { of: string; count?: number }) {
  const word = of === 'submitted' ? 'queued' : of === 'recorded' ? 'being submitted' : of;
  return <Status of={of === 'submitted' ? 'ready' : of} word={count === undefined ? word : `${count} ${word}`} />;
}

/** That of a job, with how it ended. */
export function JobStatus({ status, outcome, orphaned }: { status: string; outcome: unknown; orphaned?: unknown }) {
  if (orphaned === true) return <Status of="lost" />;
  if (outcome === 'failed') return <Status of="failed" />;
  return <Status of={status} />;
}

export const shares = [
  ['good', 'succeeded'],
  ['bad', 'failed'],
  ['warn', 'stopped'],
  ['running', 'running'],
] as const;

/** How far a workflow, or a part of it, is. */
export function Progress({ parts, total }: { parts: Record<string, number>; total: number }) {
  const words = shares.flatMap(([, name]) =>
    (parts[name] ?? 0) > 0 ? [`${formatCount(parts[name] ?? 0)} ${name}`] : [],
  );
  const label = `${words.join(', ') || 'nothing has run'} of ${formatCount(total)}`;
  return (
    <div class="bar" role="img" aria-label={label} title={label}>
      {shares.map(([tone, name]) => {
        const width = total === 0 ? 0 : ((parts[name] ?? 0) / total) * 100;
        return width > 0 ? <span key={name} class={tone} style={{ width: `${width}%` }} /> : null;
      })}
    </div>
  );
}

export function partsOf(line: StatusLine): Record<string, number> {
  return {
    succeeded: line.num_done - line.num_failed,
    failed: line.num_failed + line.num_lost,
    stopped: line.num_canceled + line.num_terminated,
    running: line.num_running,
  };
}

export function Time({ at, none = '' }: { at: string | null | undefined; none?: string }) {
  const now = useNow(5000);
  if (at == null) return <span class="faint">{none}</span>;
  return (
    <time dateTime={at} title={absoluteTime(at)}>
      {relativeTime(at, now)}
    </time>
  );
}

/** Something to type, with a button that copies it. */
export function Command({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard?.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <span class="command">
      <code>{text}</code>
      <button type="button" class="quiet" onClick={copy} aria-label={`copy ${text}`}>
        {isCopied ? 'copied' : 'copy'}
      </button>
    </span>
  );
}

/** The same for the words after `torc`. */
export function TypedCommand({ words }: { words: string }) {
  return <Command text={`${useTorc()} ${words}`} />;
}

/** `isAskedAgain`: whether what failed is repeated without anybody's doing. */
export function Trouble({ error, isAskedAgain = true }: { error: CallError; isAskedAgain?: boolean }) {
  return (
    <div class="trouble" role="alert">
      <strong>{error.message}</strong>
      {error.hint === null ? null : <div>{error.hint}</div>}
      {error.isPassing && isAskedAgain ? <div class="faint">Trying again ..</div> : null}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section>
      <h2>
        {title} {aside === undefined ? null : <span class="aside">{aside}</span>}
      </h2>
      {children}
    </section>
  );
}

export interface Fact {
  name: string;
  value: ComponentChildren;
}

export function Facts({ facts }: { facts: readonly (Fact | null)[] }) {
  return (
    <dl class="facts">
      {facts.map((fact) =>
        fact === null ? null : (
          <div key={fact.name}>
            <dt>{fact.name}</dt>
            <dd>{fact.value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
