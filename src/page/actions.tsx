/** Buttons that change something: each shows the plan of its command, and what to type for the same, before it does anything. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { StatusLine } from '../api/contract.ts';
import { type DashCommand, type DashPlan, type DashResult, dashCommands } from '../api/dash.ts';
import { CallError, call } from './call.ts';
import { Command, Trouble } from './parts.tsx';

/** A button: a command, or one under another word with the numbers that it has now. */
export type Offer = DashCommand | { command: DashCommand; title: string; number: number; least: number };

/** How many nodes an autoscaler keeps and asks for. */
export interface NodeRange {
  min_nodes: number;
  max_nodes: number;
}

export function commandOf(offer: Offer): DashCommand {
  return typeof offer === 'string' ? offer : offer.command;
}

/** What makes sense for a workflow as it is; the command itself decides whether it does. `range`: of its autoscaler, or null. */
export function commandsFor(line: StatusLine, range: NodeRange | null): Offer[] {
  const { status, has_ended, is_paused, num_failed, num_lost, num_ready, num_blocked } = line;
  const pause = is_paused ? 'resume' : 'pause';
  if (status === 'uninitialized') return ['start', pause];
  const scale: Offer[] =
    range === null
      ? ['autoscale']
      : [{ command: 'autoscale', title: 'Scale', number: range.max_nodes, least: range.min_nodes }, 'autoscale-off'];
  const nodes: Offer[] = ['schedule-nodes', ...scale];
  if (!has_ended) return [pause, 'cancel', ...(num_ready + num_blocked > 0 ? nodes : range === null ? [] : scale)];
  return [...(num_failed + num_lost > 0 ? (['rerun-failed', 'recover'] as const) : []), 'restart'];
}

export function Actions({ commands, of }: { commands: readonly Offer[]; of: string }) {
  const [open, setOpen] = useState<Offer | null>(null);
  return (
    <div class="actions">
      {commands.map((offer) => (
        <button key={commandOf(offer)} type="button" onClick={() => setOpen(offer)}>
          {titleOf(offer)} ..
        </button>
      ))}
      {open === null ? null : <PlanDialog offer={open} of={of} close={() => setOpen(null)} />}
    </div>
  );
}

function titleOf(offer: Offer): string {
  return typeof offer === 'string' ? dashCommands[offer].title : offer.title;
}

interface Seen {
  plan: DashPlan | null;
  result: DashResult | null;
  error: CallError | null;
  /** Whether the plan changed between seeing and applying it. */
  hasChanged: boolean;
  isApplying: boolean;
}

const nothing: Seen = { plan: null, result: null, error: null, hasChanged: false, isApplying: false };

function PlanDialog({ offer, of, close }: { offer: Offer; of: string; close: () => void }) {
  const command = commandOf(offer);
  const title = titleOf(offer);
  const { counts, number: usual, countsLeast } = dashCommands[command];
  const [number, setNumber] = useState<number | null>(typeof offer === 'string' ? usual : offer.number);
  const [typedLeast, setTypedLeast] = useState<number | null>(null);
  const leastNow = typeof offer === 'string' ? 0 : offer.least;
  const least = typedLeast === null || typedLeast === leastNow ? undefined : typedLeast;
  const [seen, setSeen] = useState(nothing);
  const dialog = useRef<HTMLDialogElement>(null);
  const request = { command, key: of, number, least };
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    const ending = new AbortController();
    setSeen(nothing);
    const failed = (error: unknown): void => {
      if (error instanceof CallError) setSeen({ ...nothing, error });
    };
    const timer = setTimeout(() => {
      call('plan', { command, key: of, number, least }, ending.signal).then(
        (plan) => setSeen({ ...nothing, plan }),
        failed,
      );
    }, 150);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [command, of, number, least]);
  const isBusy = useRef(false);
  const apply = async (): Promise<void> => {
    if (seen.plan === null || isBusy.current) return;
    isBusy.current = true;
    setSeen({ ...seen, isApplying: true });
    try {
      const result = await call('apply', { ...request, state: seen.plan.state });
      setSeen(
        result.new_plan === null ? { ...nothing, result } : { ...nothing, plan: result.new_plan, hasChanged: true },
      );
    } catch (error) {
      if (error instanceof CallError) setSeen({ ...seen, error, isApplying: false });
    } finally {
      isBusy.current = false;
    }
  };
  const { plan, result, error, hasChanged, isApplying } = seen;
  const text = result?.text ?? plan?.text ?? '';
  const isBad = result?.is_done === false || plan?.is_possible === false;
  return (
    <dialog ref={dialog} class="plan" aria-label={title} onClose={close}>
      <h2>{title}</h2>
      {result !== null ? null : (
        <>
          {counts === null ? null : <Count label={counts} min={1} value={number ?? 1} set={setNumber} />}
          {countsLeast === null ? null : (
            <Count label={countsLeast} min={0} value={typedLeast ?? leastNow} set={setTypedLeast} />
          )}
        </>
      )}
      {plan === null ? null : <Command text={plan.typed} />}
      {hasChanged ? (
        <p class="warn" role="alert">
          Something has changed since. Nothing was done; this is the plan now:
        </p>
      ) : null}
      {error === null ? null : <Trouble error={error} isAskedAgain={false} />}
      {plan === null && result === null && error === null ? <p class="faint">planning ..</p> : null}
      {text === '' ? null : (
        <pre class={isBad ? 'tail bad' : 'tail'} role="log" aria-label={result === null ? 'plan' : 'result'}>
          {text}
        </pre>
      )}
      <div class="buttons">
        {result === null ? (
          <button
            type="button"
            class="main"
            disabled={plan === null || !plan.is_possible || isApplying}
            onClick={() => void apply()}
          >
            {isApplying ? 'working ..' : title}
          </button>
        ) : null}
        <button type="button" onClick={() => dialog.current?.close()}>
          {result === null ? 'change nothing' : 'close'}
        </button>
      </div>
    </dialog>
  );
}

function Count({
  label,
  min,
  value,
  set,
}: {
  label: string;
  min: number;
  value: number;
  set: (value: number) => void;
}) {
  return (
    <label class="number-of">
      {label}{' '}
      <input
        type="number"
        min={min}
        max={100_000}
        value={value}
        onInput={({ currentTarget }) => {
          if (currentTarget.valueAsNumber >= min) set(Math.floor(currentTarget.valueAsNumber));
        }}
      />
    </label>
  );
}
