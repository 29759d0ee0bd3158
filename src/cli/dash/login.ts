/**
 * Who may use the dashboard: whoever opened the login link, once, and has had a cookie since. The cookie is good below a
 * path of random letters: browsers send cookies of a host to all its ports, so that a page which somebody else serves on
 * another port of this host would get a cookie of the whole host.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const secretBytes = 32;
const placeBytes = 12;
/** More browsers than anyone uses; the oldest is logged out. */
const mostSessions = 50;

export class Logins {
  /** The first part of every path. */
  readonly place = randomBytes(placeBytes).toString('hex');
  #link = newSecret();
  #sessions: Buffer[] = [];

  /** The path that logs a browser in, once. */
  get linkPath(): string {
    return `/${this.place}/login/${this.#link}`;
  }

  /** The header that makes the browser a known one, and a new link for the next; null for a link that is not the present one. */
  exchange(secret: string): string | null {
    if (!isSame(hash(secret), hash(this.#link))) return null;
    this.#link = newSecret();
    const session = newSecret();
    this.#sessions = [...this.#sessions, hash(session)].slice(-mostSessions);
    return `${this.#cookieName}=${session}; Path=/${this.place}/; HttpOnly; SameSite=Strict`;
  }

  /** Whether the header of a request has the cookie of a known browser. */
  knows(cookies: string | undefined): boolean {
    const given = (cookies ?? '').split('; ').flatMap((each) => {
      return each.startsWith(`${this.#cookieName}=`) ? [hash(each.slice(this.#cookieName.length + 1))] : [];
    });
    // all are compared, so that the time does not say which one matched
    return given.flatMap((each) => this.#sessions.map((session) => isSame(each, session))).some((same) => same);
  }

  get #cookieName(): string {
    return `torc_${this.place}`;
  }
}

function newSecret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isSame(one: Buffer, other: Buffer): boolean {
  return timingSafeEqual(one, other);
}
