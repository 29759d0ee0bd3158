/**
 * The bytes of a relay: many connections over one pair of pipes. First a line says that the relay listens; what a login
 * shell or a prolog of Slurm prints before it is skipped. Then come frames: type, stream, length, content, line feed.
 *
 * The line feed is there because Slurm's output of a step is forwarded by lines: without it the end of a frame would wait
 * for the next one.
 */

export const frameTypes = { open: 1, data: 2, window: 3, end: 4, reset: 5, alive: 6 } as const;
export type FrameType = keyof typeof frameTypes;

export interface Frame {
  type: FrameType;
  /** 0 in a frame that belongs to no stream. */
  stream: number;
  content: Buffer;
}

export const longestContent = 64 * 1024;
const headerBytes = 9;
const lineFeed = 0x0a;
const names = new Map<number, FrameType>(
  Object.entries(frameTypes).map(([name, number]) => [number, name as FrameType]),
);

const nothing = Buffer.alloc(0);

/** Throws RangeError for content that is too long for a frame. */
export function frameBytes({ type, stream, content }: Frame): Buffer {
  if (content.length > longestContent) throw new RangeError(`a frame of ${content.length} bytes`);
  const bytes = Buffer.allocUnsafe(headerBytes + content.length + 1);
  bytes.writeUInt8(frameTypes[type], 0);
  bytes.writeUInt32BE(stream, 1);
  bytes.writeUInt32BE(content.length, 5);
  content.copy(bytes, headerBytes);
  bytes[bytes.length - 1] = lineFeed;
  return bytes;
}

export function emptyFrame(type: FrameType, stream: number): Frame {
  return { type, stream, content: nothing };
}

/** Allows the peer to send so many more bytes of this stream. */
export function windowFrame(stream: number, numBytes: number): Frame {
  const content = Buffer.alloc(4);
  content.writeUInt32BE(numBytes);
  return { type: 'window', stream, content };
}

/** The bytes that a window frame allows; null when it is none. */
export function windowOf({ content }: Frame): number | null {
  return content.length === 4 ? content.readUInt32BE() : null;
}

/** Something came that is no frame; nothing after it can be understood. */
export class BrokenFrames extends Error {}

/** Takes frames out of bytes that come in pieces of any size. */
export class FrameReader {
  #held: Buffer = nothing;

  /** The frames that are complete with this piece. Throws BrokenFrames. */
  take(piece: Buffer): Frame[] {
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const type = names.get(bytes.readUInt8(at));
      const length = bytes.readUInt32BE(at + 5);
      if (type === undefined || length > longestContent) throw new BrokenFrames('something else came than a frame');
      const end = at + headerBytes + length;
      if (bytes.length <= end) break;
      if (bytes[end] !== lineFeed) throw new BrokenFrames('a frame does not end where it should');
      frames.push({ type, stream: bytes.readUInt32BE(at + 1), content: bytes.subarray(at + headerBytes, end) });
      at = end + 1;
    }
    this.#held = bytes.subarray(at);
    return frames;
  }
}

/** What a relay says of itself when it listens. */
export interface RelayGreeting {
  hostname: string;
  port: number;
  /** Those of its host, when it accepts connections of other hosts. */
  addresses: string[];
}

const magic = 'torc-relay 1 ';
/** Whatever is printed before the greeting. */
const longestPrelude = 1024 * 1024;

export function greetingLine(greeting: RelayGreeting): string {
  return `${magic}${JSON.stringify(greeting)}\n`;
}

/** Looks for the greeting in what a relay prints. */
export class GreetingReader {
  #held: Buffer = nothing;

  /** The greeting and the bytes after it; null until it arrives. Throws BrokenFrames when too much else comes first. */
  take(piece: Buffer): { greeting: RelayGreeting; rest: Buffer } | null {
    this.#held = Buffer.concat([this.#held, piece]);
    if (this.#held.length > longestPrelude) throw new BrokenFrames('the relay prints other things than its greeting');
    for (;;) {
      const end = this.#held.indexOf(lineFeed);
      if (end < 0) return null;
      const line = this.#held.toString('utf8', 0, end);
      this.#held = this.#held.subarray(end + 1);
      const greeting = greetingIn(line);
      if (greeting !== null) return { greeting, rest: this.#held };
    }
  }
}

const hostPattern = /^[A-Za-z0-9_.:%-]{1,255}$/;

function greetingIn(line: string): RelayGreeting | null {
  const start = line.indexOf(magic);
  if (start < 0) return null;
  try {
    const { hostname, port, addresses } = JSON.parse(line.slice(start + magic.length)) as RelayGreeting;
    const isHost = (text: unknown): boolean => typeof text === 'string' && hostPattern.test(text);
    const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
    if (!isHost(hostname) || !isPort || !Array.isArray(addresses) || !addresses.every(isHost)) return null;
    return { hostname, port, addresses };
  } catch {
    return null;
  }
}
