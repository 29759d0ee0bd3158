/** Connections that a relay carries: whatever the pieces in which bytes come, each gets its own, whole and in order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BrokenFrames,
  type Frame,
  FrameReader,
  frameBytes,
  frameTypes,
  GreetingReader,
  greetingLine,
  longestContent,
} from '../../src/api/relay-frames.ts';
import { type LinkPort, type LinkStream, RelayLink, windowBytes } from '../../src/api/relay-link.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

const frame: fc.Arbitrary<Frame> = fc.record({
  type: fc.constantFrom(...(Object.keys(frameTypes) as Frame['type'][])),
  stream: fc.nat(2 ** 32 - 1),
  content: bytes(300),
});

/** The same bytes in pieces whose lengths follow `cuts`, again and again. */
function pieces(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0, i = 0; at < whole.length; i += 1) {
    const length = cuts[i % cuts.length] ?? 1;
    found.push(whole.subarray(at, at + length));
    at += length;
  }
  return found;
}
const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 });

describe('frames', () => {
  it('come out as they went in, in whatever pieces', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), cuts, (frames, lengths) => {
        const reader = new FrameReader();
        const read = pieces(Buffer.concat(frames.map(frameBytes)), lengths).flatMap((piece) => reader.take(piece));
        expect(read).toEqual(frames);
      }),
    );
  });

  it('end with a line feed, because Slurm forwards whole lines', () => {
    fc.assert(
      fc.property(frame, (one) => {
        expect(frameBytes(one).at(-1)).toBe(0x0a);
      }),
    );
  });

  it('are refused when something else comes, and never taken for others', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 3 }), bytes(200), cuts, (frames, garbage, lengths) => {
        const reader = new FrameReader();
        const read: Frame[] = [];
        try {
          for (const piece of pieces(Buffer.concat([...frames.map(frameBytes), garbage]), lengths)) {
            read.push(...reader.take(piece));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(BrokenFrames);
        }
        expect(read.slice(0, frames.length)).toEqual(frames.slice(0, read.length));
      }),
    );
  });

  it('of more than the longest content are not made', () => {
    const content = Buffer.alloc(longestContent + 1);
    expect(() => frameBytes({ type: 'data', stream: 1, content })).toThrow(RangeError);
  });
});

describe('the greeting', () => {
  const greeting = { hostname: 'c1', port: 7000, addresses: ['c1', '10.0.0.1'] };
  const noise = fc.array(fc.string({ unit: 'binary', maxLength: 60 })).map((lines) => lines.join('\n'));

  it('is found behind what a login shell prints, and leaves what follows it', () => {
    fc.assert(
      fc.property(noise, bytes(100), cuts, (before, after, lengths) => {
        const reader = new GreetingReader();
        const whole = Buffer.concat([Buffer.from(`${before}\n`), Buffer.from(greetingLine(greeting)), after]);
        let found: ReturnType<GreetingReader['take']> = null;
        const rest: Buffer[] = [];
        for (const piece of pieces(whole, lengths)) {
          if (found !== null) rest.push(piece);
          else found = reader.take(piece);
        }
        expect(found?.greeting).toEqual(greeting);
        expect(Buffer.concat([found?.rest ?? Buffer.alloc(0), ...rest])).toEqual(after);
      }),
    );
  });

  it('is waited for no longer than a megabyte', () => {
    const reader = new GreetingReader();
    const line = Buffer.from(`${'x'.repeat(1000)}\n`);
    expect(() => {
      for (let i = 0; i < 2000; i += 1) reader.take(line);
      reader.take(Buffer.alloc(2 ** 20, 'x'));
      reader.take(Buffer.from('x'));
    }).toThrow(BrokenFrames);
  });
});

/** One connection at one end: what it got, and whether it may send. */
class FakePort implements LinkPort {
  received: Buffer[] = [];
  isPaused = false;
  hasPeerEnded = false;
  isDestroyed = false;
  stream: LinkStream | null = null;
  /** Written and not yet taken. */
  waiting: { length: number; done: () => void }[] = [];
  mostWaiting = 0;

  write(piece: Buffer, done: () => void): void {
    expect(this.hasPeerEnded).toBe(false);
    this.received.push(Buffer.from(piece));
    this.waiting.push({ length: piece.length, done });
    this.mostWaiting = Math.max(
      this.mostWaiting,
      this.waiting.reduce((sum, { length }) => sum + length, 0),
    );
  }
  end(): void {
    this.hasPeerEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

/** Two ends and the pipes between them, which are slow and short. */
class FakePair {
  readonly near: RelayLink;
  readonly far: RelayLink;
  readonly farPorts: FakePort[] = [];
  readonly #toFar: Buffer[] = [];
  readonly #toNear: Buffer[] = [];

  constructor(mostInPipe: number) {
    const send = (pipe: Buffer[]) => (piece: Buffer) => {
      pipe.push(piece);
      return pipe.reduce((sum, { length }) => sum + length, 0) < mostInPipe;
    };
    this.near = new RelayLink({ send: send(this.#toFar), opened: () => expect.fail('nothing opens streams here') });
    this.far = new RelayLink({
      send: send(this.#toNear),
      opened: (stream) => {
        const port = new FakePort();
        port.stream = stream;
        this.farPorts.push(port);
        return port;
      },
    });
  }

  open(): FakePort {
    const port = new FakePort();
    this.near.open((stream) => {
      port.stream = stream;
      return port;
    });
    return port;
  }

  /** Moves some bytes; false when there was nothing to move. */
  move(direction: 'far' | 'near', length: number): boolean {
    const [pipe, from, to] =
      direction === 'far' ? [this.#toFar, this.near, this.far] : [this.#toNear, this.far, this.near];
    const first = pipe.shift();
    if (first === undefined) return false;
    to.take(first.subarray(0, length));
    if (first.length > length) pipe.unshift(first.subarray(length));
    if (pipe.length === 0) from.drained();
    return true;
  }
}

interface Sender {
  port: FakePort;
  peer: () => FakePort | undefined;
  data: Buffer;
  sent: number;
}

describe('a link', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 900_000 }), { minLength: 1, maxLength: 5 });
  const steps = fc.infiniteStream(
    fc.record({ what: fc.nat(9), which: fc.nat(50), length: fc.integer({ min: 1, max: 70_000 }) }),
  );

  it('carries each stream whole, in order and in both directions, and holds no more than a window for a slow one', () => {
    fc.assert(
      fc.property(lengths, lengths, steps, fc.integer({ min: 1, max: 300_000 }), (there, back, script, pipeBytes) => {
        const pair = new FakePair(pipeBytes);
        const ports = there.map(() => pair.open());
        const content = (length: number, salt: number) => Buffer.alloc(length, `${salt} of some bytes `);
        const senders: Sender[] = ports.flatMap((port, i) => [
          { port, peer: () => pair.farPorts[i], data: content(there[i] ?? 0, i), sent: 0 },
        ]);
        const answers = (): Sender[] =>
          pair.farPorts.slice(senders.length - ports.length).map((port, i) => ({
            port,
            peer: () => ports[i],
            data: content(back[i % back.length] ?? 0, 100 + i),
            sent: 0,
          }));
        for (let i = 0; pair.farPorts.length < ports.length && i < 100; i += 1) pair.move('far', 1_000_000);
        const all = [...senders, ...answers()];
        const isOver = () => all.every(({ peer, data, sent }) => sent > data.length && peer()?.hasPeerEnded === true);
        let isIdle = 0;
        for (const { what, which, length } of script) {
          if (isOver() || isIdle > 5_000) break;
          const one = all[which % all.length] as Sender;
          let moved = false;
          if (what < 3) moved = pair.move('far', length);
          else if (what < 6) moved = pair.move('near', length);
          else if (what < 8) {
            const taken = one.port.waiting.shift();
            taken?.done();
            moved = taken !== undefined;
          } else if (!one.port.isPaused && one.sent <= one.data.length) {
            if (one.sent < one.data.length) one.port.stream?.data(one.data.subarray(one.sent, one.sent + length));
            else one.port.stream?.ended();
            one.sent = one.sent < one.data.length ? Math.min(one.data.length, one.sent + length) : one.sent + 1;
            moved = true;
          }
          isIdle = moved ? 0 : isIdle + 1;
        }
        for (const { peer, data } of all) {
          expect(Buffer.concat(peer()?.received ?? []).equals(data)).toBe(true);
          expect(peer()?.hasPeerEnded).toBe(true);
          expect(peer()?.mostWaiting).toBeLessThanOrEqual(windowBytes + 70_000);
        }
        expect([pair.near.numStreams, pair.far.numStreams]).toEqual([0, 0]);
      }),
      { numRuns: 40 },
    );
  });

  it('ends the other side of a connection that breaks, and only that', () => {
    const pair = new FakePair(1_000_000);
    const [first, second] = [pair.open(), pair.open()];
    while (pair.move('far', 1_000_000));
    first.stream?.closed();
    while (pair.move('far', 1_000_000));
    expect(pair.farPorts.map(({ isDestroyed }) => isDestroyed)).toEqual([true, false]);
    // what was still on its way to the broken one is dropped
    pair.farPorts[0]?.stream?.data(Buffer.from('late'));
    pair.farPorts[1]?.stream?.data(Buffer.from('other'));
    while (pair.move('near', 1_000_000));
    expect(Buffer.concat(first.received).toString()).toBe('');
    expect(Buffer.concat(second.received).toString()).toBe('other');
    expect([pair.near.numStreams, pair.far.numStreams]).toEqual([1, 1]);
  });

  it('breaks all connections when it ends itself', () => {
    const pair = new FakePair(1_000_000);
    const ports = [pair.open(), pair.open()];
    pair.near.close();
    expect(ports.map(({ isDestroyed }) => isDestroyed)).toEqual([true, true]);
    expect(pair.near.numStreams).toBe(0);
  });
});
