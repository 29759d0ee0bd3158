/**
 * Who owns the database of a directory: `holder.json` names one process by a nonce. It is created before the database
 * is opened, with exclusive create, and read again after each COMMIT: where the file system gives neither locks nor
 * exclusive create, two processes may believe that they own the database, and the one whose nonce is gone must stop.
 */
import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Clock, delay, isoInstant } from '../../base/clock.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { hasOpen, isOwnProcess, isProcessAlive, processStartTicks } from '../../base/proc.ts';
import {
  createPrivateFile,
  movePrivateFile,
  overwritePrivateFile,
  readPrivateFile,
} from '../../base/trusted/private.ts';

interface Holder {
  hostname: string;
  pid: number;
  /** Start time of the process in clock ticks since boot; null where the system does not say. */
  start_ticks: number | null;
  command: string;
  since: string;
  nonce: string;
}

/** How often the heartbeat is written and the ownership checked. */
const beatMs = 2_000;
/** How long a directory that is gone is waited for: as long as workers wait for a server unless told otherwise. */
const longestAwayMs = 20 * 60_000;
/** A holder on another host counts as gone when its files have not changed in this many checks in a row. */
const stillLooks = 16;
const lookMs = 500;

const holderPath = (directory: string): string => join(directory, 'holder.json');
const heartbeatPath = (directory: string): string => join(directory, 'heartbeat');

export interface OwnershipNews {
  /** Called once, with why: another process has the directory, or it is gone and has not come back. */
  lost(why: TorcError): void;
  /** The directory is gone, or is back: a sentence for the person. */
  away(text: string): void;
}

export class Ownership {
  /** The previous owner was on another host and did not end properly: it may come back and write. */
  readonly isTakenOver: boolean;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #nonce: string;
  #numBeats = 0;
  #awaySinceMs: number | null = null;
  #cancelTimer: () => void = () => {};

  private constructor(directory: string, clock: Clock, nonce: string, isTakenOver: boolean) {
    this.#directory = directory;
    this.#clock = clock;
    this.#nonce = nonce;
    this.isTakenOver = isTakenOver;
  }

  /**
   * Takes the directory for this process. `command` says what it was started for; others see it. Throws TorcError
   * 'busy' naming the holder when it lives, or may live on another host, which takes 8 s to find out.
   */
  static async take(directory: string, clock: Clock, command: string): Promise<Ownership> {
    const own: Holder = {
      hostname: hostname(),
      pid: process.pid,
      start_ticks: processStartTicks(process.pid),
      command,
      since: isoInstant(clock.now()) ?? '',
      nonce: randomBytes(16).toString('hex'),
    };
    if (create(directory, own)) return new Ownership(directory, clock, own.nonce, false);
    const found = readPrivateFile(holderPath(directory));
    const holder = parse(found);
    const isHere = holder !== null && holder.hostname === hostname();
    const isGone = isHere ? !isProcessAlive(holder.pid, holder.start_ticks) : await standsStill(directory, clock);
    if (!isGone || !removeStale(directory, found, own.nonce) || !create(directory, own)) {
      throw heldBy(directory, holder ?? parse(readPrivateFile(holderPath(directory))));
    }
    return new Ownership(directory, clock, own.nonce, !isHere);
  }

  /**
   * Whether this process still owns the directory. Opens the file, because only that makes a network file system ask
   * its server. Throws when it cannot be read, or when the whole directory is gone: it may come back as it was.
   */
  isKept(): boolean {
    const text = readPrivateFile(holderPath(this.#directory));
    const isAway = text === null && isGone(this.#directory);
    this.#awaySinceMs = isAway ? (this.#awaySinceMs ?? this.#clock.monotonic()) : null;
    if (isAway) throw new TorcError('unreachable', goneWords(this.#directory));
    return parse(text)?.nonce === this.#nonce;
  }

  /** Whether the directory was gone when it was last looked at. */
  get isAway(): boolean {
    return this.#awaySinceMs !== null;
  }

  /** Writes the heartbeat and checks the ownership from now on. */
  watch(tell: OwnershipNews, wasAway = false): void {
    this.#cancelTimer = this.#clock.after(beatMs, () => {
      if (!this.#mayBeKept()) return tell.lost(takenBy(this.#directory));
      const awayMs = this.#awaySinceMs === null ? 0 : this.#clock.monotonic() - this.#awaySinceMs;
      if (awayMs >= longestAwayMs) return tell.lost(gone(this.#directory));
      if (this.isAway !== wasAway) tell.away(this.isAway ? awayWords(this.#directory) : `${this.#directory} is back`);
      this.#beat();
      this.watch(tell, this.isAway);
    });
  }

  /** A file system that fails for a moment does not mean that the ownership is lost. */
  #mayBeKept(): boolean {
    try {
      return this.isKept();
    } catch {
      return true;
    }
  }

  #beat(): void {
    this.#numBeats += 1;
    try {
      overwritePrivateFile(heartbeatPath(this.#directory), `${this.#nonce} ${this.#numBeats}\n`);
    } catch {
      // on a full disk others cannot write holder.json either
    }
  }

  /** Gives the directory up; called when the database is closed. */
  release(): void {
    this.#cancelTimer();
    if (!this.#mayBeKept()) return;
    try {
      rmSync(heartbeatPath(this.#directory), { force: true });
      rmSync(holderPath(this.#directory), { force: true });
    } catch (error) {
      // a file system that fails keeps them; the next process sees that this one is gone
      if (systemCode(error) === null) throw error;
    }
  }
}

/** Says which process uses the database, if the directory shows it. */
export function heldBy(
  directory: string,
  holder: Holder | null = parse(readPrivateFile(holderPath(directory))),
): TorcError {
  if (holder === null) {
    return new TorcError('busy', `another process is using the database in ${directory}`, 'Wait until it ends.');
  }
  return new TorcError(
    'busy',
    `'${holder.command}' on ${holder.hostname} (pid ${holder.pid}, since ${holder.since}) is using the database in ${directory}`,
    mayBeEnded(directory, holder) ? `Wait until it ends, or end it: kill ${holder.pid}` : 'Wait until it ends.',
  );
}

/**
 * Whether the holder is shown to be a process of this user on this host that has the database open: the note may have
 * been copied from another directory.
 */
function mayBeEnded(directory: string, { hostname: host, pid, start_ticks }: Holder): boolean {
  if (host !== hostname() || start_ticks === null || !isProcessAlive(pid, start_ticks)) return false;
  return isOwnProcess(pid) && hasOpen(pid, join(directory, 'torc.db'));
}

/** The process that says it has the database open; null when there is none, or one of this host that has ended. */
export function presentHolder(directory: string): Pick<Holder, 'hostname' | 'pid' | 'command'> | null {
  const holder = parse(readPrivateFile(holderPath(directory)));
  const isHere = holder?.hostname === hostname();
  return holder === null || (isHere && !isProcessAlive(holder.pid, holder.start_ticks)) ? null : holder;
}

/** Says who has become the owner while this process worked. */
export function takenBy(directory: string): TorcError {
  const holder = parse(readPrivateFile(holderPath(directory)));
  const what =
    holder === null
      ? `this process no longer owns the database in ${directory}, which has been replaced or taken over; it`
      : `another process has taken over the database in ${directory}: '${holder.command}' on ${holder.hostname} (pid ${holder.pid}); this one`;
  return new TorcError(
    'busy',
    `${what} has stopped`,
    'Everything that it confirmed is stored. See the current state: torc workflows list',
  );
}

function isGone(directory: string): boolean {
  try {
    return statSync(directory, { throwIfNoEntry: false }) === undefined;
  } catch {
    // it cannot be seen now
    return false;
  }
}

function goneWords(directory: string): string {
  return `the server directory ${directory} is gone: it was moved or deleted`;
}

function awayWords(directory: string): string {
  return `${goneWords(directory)}. Nothing can be stored until it is back; running jobs continue.`;
}

/** Says that the directory went away and stayed away. */
function gone(directory: string): TorcError {
  return new TorcError(
    'unusable',
    `${goneWords(directory)}; this process has stopped`,
    'Everything that it confirmed is stored there. When it is back: torc workflows list',
  );
}

function create(directory: string, own: Holder): boolean {
  try {
    createPrivateFile(holderPath(directory), `${JSON.stringify(own)}\n`);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the file of a holder that is gone; false when it is another holder's by now, which stays. */
function removeStale(directory: string, text: string | null, nonce: string): boolean {
  if (text === null) return true;
  const path = holderPath(directory);
  const moved = `${path}.${nonce}`;
  try {
    movePrivateFile(path, moved);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  const isSame = readPrivateFile(moved) === text;
  if (isSame) rmSync(moved);
  else movePrivateFile(moved, path);
  return isSame;
}

/**
 * Whether neither the holder nor its heartbeat changes for 8 s; counts checks, because this process may be frozen too.
 */
async function standsStill(directory: string, clock: Clock): Promise<boolean> {
  const look = (): string => `${readPrivateFile(holderPath(directory))} ${readPrivateFile(heartbeatPath(directory))}`;
  const first = look();
  for (let looks = 0; looks < stillLooks; looks++) {
    await delay(clock, lookMs);
    if (look() !== first) return false;
  }
  return true;
}

function parse(text: string | null): Holder | null {
  try {
    const value = JSON.parse(text ?? '') as Partial<Holder> | null;
    if (typeof value?.hostname !== 'string' || typeof value.pid !== 'number') return null;
    return { start_ticks: null, command: 'torc', since: 'unknown', nonce: '', ...value } as Holder;
  } catch {
    return null;
  }
}
