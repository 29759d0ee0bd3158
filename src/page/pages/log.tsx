/** What an attempt printed, followed while it runs. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { JobShown } from '../../api/contract.ts';
import type { LogPiece } from '../../api/dash.ts';
import { CallError, call } from '../call.ts';
import { plainOutput } from '../format.ts';
import { pause } from '../hooks.ts';
import { Empty, Section, Trouble, TypedCommand } from '../parts.tsx';

type Stream = 'stdout' | 'stderr';
type Attempt = JobShown['attempts'][number];

interface Shown {
  text: string;
  /** Where the text begins; 0 when all of it is here. */
  begins: number;
  missing: string | null;
  error: CallError | null;
  hasEnded: boolean;
}

const nothing: Shown = { text: '', begins: 0, missing: null, error: null, hasEnded: false };
/** More is dropped from the beginning. */
const mostCharacters = 2_000_000;
const lookEveryMs = 1000;

interface LogProps {
  attempt: Attempt;
  isNewest: boolean;
  status: string;
}

export function JobLog({ attempt, isNewest, status }: LogProps) {
  const failed = attempt.return_code !== null && attempt.return_code !== 0;
  const [stream, setStream] = useState<Stream>(failed && attempt.stderr_path !== null ? 'stderr' : 'stdout');
  const { job_key, run_id, attempt_id } = attempt;
  const isRunning = isNewest && (status === 'submitted' || status === 'submitted_pending');
  const shown = useLog({ job_key, run_id, attempt_id, stream }, isRunning);
  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  // new text is what moves the view
  useEffect(() => {
    if (box.current !== null && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [shown.text]);
  const path = stream === 'stdout' ? attempt.stdout_path : attempt.stderr_path;
  const streams = (
    <span class="switch">
      {(['stdout', 'stderr'] as const).map((each) => (
        <button key={each} type="button" aria-pressed={each === stream} onClick={() => setStream(each)}>
          {each}
        </button>
      ))}
      {isRunning ? <span class="status running">following</span> : null}
    </span>
  );
  return (
    <Section title="Output" aside={streams}>
      {shown.begins > 0 ? (
        <p class="faint">
          The last lines; all of it: {path ?? ''} <TypedCommand words={`jobs logs ${job_key}`} />
        </p>
      ) : null}
      {shown.error === null ? null : <Trouble error={shown.error} />}
      {shown.missing !== null ? <Empty>{shown.missing}</Empty> : null}
      {shown.missing === null && shown.text === '' ? (
        <Empty>{shown.hasEnded ? `It wrote nothing to ${stream}.` : `Nothing on ${stream} yet.`}</Empty>
      ) : null}
      {shown.text === '' ? null : (
        <pre
          class="log"
          ref={box}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keyboard
          tabIndex={0}
          role="log"
          aria-label={`${stream} of the job`}
          onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
            isAtEnd.current = scrollTop + clientHeight > scrollHeight - 20;
          }}
        >
          {plainOutput(shown.text)}
        </pre>
      )}
    </Section>
  );
}

interface Wanted {
  job_key: string;
  run_id: number;
  attempt_id: number;
  stream: Stream;
}

function useLog(wanted: Wanted, isRunning: boolean): Shown {
  const [shown, setShown] = useState(nothing);
  const id = JSON.stringify(wanted);
  // when it ends, the rest is read
  useEffect(() => {
    const ending = new AbortController();
    setShown(nothing);
    void follow(JSON.parse(id) as Wanted, ending.signal, setShown);
    return () => ending.abort();
  }, [id, isRunning]);
  return shown;
}

async function follow(
  wanted: Wanted,
  signal: AbortSignal,
  show: (change: (before: Shown) => Shown) => void,
): Promise<void> {
  let offset: number | null = null;
  while (!signal.aborted) {
    let isMore = false;
    try {
      if (!document.hidden) {
        const piece: LogPiece = await call('log', { ...wanted, offset }, signal);
        const isFirst = offset === null;
        if (piece.missing === null) offset = piece.next_offset;
        isMore = piece.missing === null && piece.text !== '' && !piece.has_ended;
        show((before) => {
          const text = (before.text + piece.text).slice(-mostCharacters);
          const begins = isFirst ? piece.offset : before.begins;
          return { text, begins, missing: piece.missing, error: null, hasEnded: piece.has_ended };
        });
        if (piece.has_ended) return;
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof CallError)) return;
      show((before) => ({ ...before, error }));
      if (!error.isPassing) return;
    }
    await pause(isMore ? 200 : lookEveryMs, signal);
  }
}
