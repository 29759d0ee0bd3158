/**
 * The secrets that open the server: the current token and, for a while after a rotation, the previous one. Credentials of
 * jobs open one endpoint.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { checkJobToken, type JobCredential } from '../../base/job-credential.ts';

export class Tokens {
  readonly #clock: Clock;
  readonly #jobSecret: Buffer | null;
  #current: Buffer;
  #previous: { digest: Buffer; untilMs: number } | null = null;

  constructor(clock: Clock, token: string, jobSecret: Buffer | null = null) {
    this.#clock = clock;
    this.#jobSecret = jobSecret;
    this.#current = digest(`Bearer ${token}`);
  }

  /** From now on `token` opens; the previous one stays valid for `graceMs`. */
  replace(token: string, graceMs: number): void {
    this.#previous = graceMs > 0 ? { digest: this.#current, untilMs: this.#clock.monotonic() + graceMs } : null;
    this.#current = digest(`Bearer ${token}`);
  }

  /** Whether an Authorization header opens; takes the same time whatever is wrong with it. */
  accepts(header: string | undefined): boolean {
    const given = digest(header ?? '');
    if (timingSafeEqual(given, this.#current)) return true;
    const previous = this.#previous;
    return previous !== null && timingSafeEqual(given, previous.digest) && this.#clock.monotonic() < previous.untilMs;
  }

  /** The job whose credential an Authorization header is; null for any other. */
  jobOf(header: string | undefined): JobCredential | null {
    if (this.#jobSecret === null || header?.startsWith('Bearer ') !== true) return null;
    return checkJobToken(this.#jobSecret, header.slice('Bearer '.length));
  }
}

/** 256 random bits. */
export function newToken(): string {
  return randomBytes(32).toString('hex');
}

/** The same length for every text, so that the length reveals nothing either. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
