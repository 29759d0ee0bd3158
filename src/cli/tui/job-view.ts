/** One job, why it is as it is, its attempts and the end of what it wrote; and all that it wrote, as it grows. */
import type { JobShown, ListRecord } from '../../api/contract.ts';
import { visible } from '../../base/text.ts';
import { AttemptLog } from '../output/attempt-log.ts';
import type { Stream } from '../output/attempt-output.ts';
import { fitted } from '../output/fit.ts';
import { TextTable } from '../output/table.ts';
import { textColumn } from '../output/text-columns.ts';
import { whyOf, whyText } from '../output/why.ts';
import { fitWidth, wrapped } from '../output/width.ts';
import { jobKeys, jobStep } from './job-actions.ts';
import { backKey, type KeyHelp, Scroll, type Session, type Size, type Step, type View } from './view.ts';

/** Of an output, the last of which are shown. */
const tailBytes = { page: 8 * 1024, log: 1024 * 1024 };

const attemptColumns = ['run_id', 'attempt_id', 'status', 'return_code', 'cause', 'start_time', 'hostname'] as const;

/** Reads a job and what its last attempt wrote. */
class JobReader {
  readonly #session: Session;
  readonly jobKey: string;
  shown: JobShown | null = null;
  log: AttemptLog | null = null;

  constructor(session: Session, jobKey: string) {
    this.#session = session;
    this.jobKey = jobKey;
  }

  async load(): Promise<JobShown> {
    const show = () => this.#session.api.call('job_show', { job_key: this.jobKey });
    const shown = await show();
    this.shown = shown;
    const last: ListRecord | undefined = shown.attempts.at(-1);
    this.log = last === undefined ? null : new AttemptLog(shown, last, show);
    return shown;
  }

  /** The last bytes; null where there is none, or none that can be read here. */
  async tail(stream: Stream, mostBytes: number): Promise<string | null> {
    if (this.log === null || this.log.whyNothing !== null) return null;
    try {
      return (await this.log.readTail(stream, mostBytes))?.toString('utf8') ?? null;
    } catch {
      return null;
    }
  }
}

export class JobView implements View {
  readonly workflowKey: string;
  readonly #session: Session;
  readonly #reader: JobReader;
  readonly #scroll = new Scroll();
  #outputs: { stream: Stream; text: string }[] = [];

  constructor(session: Session, workflowKey: string, jobKey: string) {
    this.#session = session;
    this.workflowKey = workflowKey;
    this.#reader = new JobReader(session, jobKey);
  }

  title(): string {
    const name = this.#reader.shown?.job.name;
    return `job ${this.#reader.jobKey}${name === undefined ? '' : ` (${visible(name)})`}`;
  }

  keys(): readonly KeyHelp[] {
    const job = this.#reader.shown?.job;
    const log = { key: 'l', word: 'log', help: 'all that its last attempt wrote, as it grows' };
    return [log, ...(job === undefined ? [] : jobKeys({ ...job })), backKey];
  }

  waitsFor(): boolean {
    return this.#reader.shown === null;
  }

  async load(): Promise<void> {
    await this.#reader.load();
    const outputs: { stream: Stream; text: string }[] = [];
    for (const stream of ['stderr', 'stdout'] as const) {
      const text = await this.#reader.tail(stream, tailBytes.page);
      if (text !== null && text.trim() !== '') outputs.push({ stream, text });
    }
    this.#outputs = outputs;
  }

  lines({ columns, rows }: Size): string[] {
    const { shown } = this.#reader;
    if (shown === null) return ['reading ..'];
    const { context } = this.#session;
    const why = whyText(whyOf(context, shown), [], context.clock.now()).trimEnd().split('\n');
    const command = [`$ ${visible(String(shown.job.command))}`];
    const lines = [
      ...[...why, ...command].flatMap((line) => wrapped(line, columns)),
      ...this.#attemptLines(shown.attempts, columns),
      ...this.#outputs.flatMap(({ stream, text }) => ['', `${stream}:`, ...logLines(text)]),
    ];
    return this.#scroll.shown(lines, rows).map((line) => fitWidth(line, columns));
  }

  #attemptLines(attempts: readonly ListRecord[], columns: number): string[] {
    if (attempts.length === 0) return [];
    const shown = attemptColumns.map(textColumn(this.#session.context, attempts));
    const table = new TextTable(fitted(shown, attempts, columns).columns);
    return ['', 'attempts:', ...table.lines(attempts).trimEnd().split('\n')];
  }

  key(key: string): Step | null {
    if (this.#scroll.key(key)) return null;
    const { jobKey, shown } = this.#reader;
    switch (key) {
      case 'l':
      case 'enter':
      case 'right':
        return { kind: 'open', view: new LogView(this.#session, this.workflowKey, jobKey) };
      default:
        return shown === null ? null : jobStep({ ...shown.job }, key);
    }
  }
}

export class LogView implements View {
  readonly workflowKey: string;
  readonly #reader: JobReader;
  readonly #scroll = new Scroll();
  #stream: Stream | null = null;
  #text: string | null = null;
  #isLoaded = false;
  /** The last lines stay in view as others follow. */
  #isFollowing = true;

  constructor(session: Session, workflowKey: string, jobKey: string) {
    this.workflowKey = workflowKey;
    this.#reader = new JobReader(session, jobKey);
  }

  title(): string {
    const follows = this.#reader.log?.hasEnded === false ? (this.#isFollowing ? ', following' : ', running') : '';
    return `${this.#stream ?? 'output'} of job ${this.#reader.jobKey}${follows}`;
  }

  keys(): readonly KeyHelp[] {
    const other = this.#stream === 'stderr' ? 'stdout' : 'stderr';
    return [
      { key: 'o', word: other, help: `what it wrote to ${other}` },
      { key: 'g', word: 'begin', help: 'the first lines' },
      { key: 'G', word: 'end, follow', help: 'the last lines, also as others follow' },
      backKey,
    ];
  }

  waitsFor(): boolean {
    return !this.#isLoaded;
  }

  async load(): Promise<void> {
    const { job } = await this.#reader.load();
    this.#stream ??= job.outcome === 'failed' && (await this.#hasText('stderr')) ? 'stderr' : 'stdout';
    await this.#read();
  }

  /** Files grow without events. */
  async loadMore(): Promise<void> {
    if (this.#reader.log?.hasEnded === false) await this.#read();
  }

  async #hasText(stream: Stream): Promise<boolean> {
    return ((await this.#reader.tail(stream, tailBytes.page)) ?? '').trim() !== '';
  }

  async #read(): Promise<void> {
    const stream = this.#stream;
    if (stream === null) return;
    const text = await this.#reader.tail(stream, tailBytes.log);
    // another one may have been chosen meanwhile
    if (stream !== this.#stream) return;
    this.#text = text;
    this.#isLoaded = true;
  }

  lines({ columns, rows }: Size): string[] {
    if (!this.#isLoaded) return ['reading ..'];
    const { log } = this.#reader;
    if (log === null) return ['the job has not started'];
    if (this.#text === null) return wrapped(visible(log.missing(this.#stream ?? 'stdout')), columns);
    if (this.#text === '') return [`nothing in ${this.#stream}`];
    const lines = logLines(this.#text);
    if (this.#isFollowing) this.#scroll.top = lines.length;
    return this.#scroll.shown(lines, rows).map((line) => fitWidth(line, columns));
  }

  key(key: string): Step | null {
    if (this.#scroll.key(key)) {
      this.#isFollowing = this.#scroll.isAtEnd;
      return null;
    }
    if (key !== 'o') return null;
    this.#stream = this.#stream === 'stderr' ? 'stdout' : 'stderr';
    this.#isFollowing = true;
    this.#isLoaded = false;
    return { kind: 'load' };
  }
}

/** Lines as a terminal would leave them: of a line that was drawn over, the last state. */
function logLines(text: string): string[] {
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => visible((line.replace(/\r+$/, '').split('\r').at(-1) ?? '').replaceAll('\t', '    ')));
}
