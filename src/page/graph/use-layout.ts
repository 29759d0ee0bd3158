/** A layout that a worker makes; the worker has a script of its own, which only a graph loads. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { CallError } from '../call.ts';
import type { Size } from './camera.ts';
import type { Drawn } from './layout.ts';

export interface LayoutRequest {
  id: number;
  sizes: readonly Size[];
  edges: readonly (readonly [number, number])[];
  view: Size;
}

export interface LayoutReply {
  id: number;
  drawn: Drawn;
}

/** A layout, and of which structure. */
export interface Laid {
  structure: string;
  drawn: Drawn;
}

/** The last layout that was made; null before the first. `structure`: sizes and edges as JSON. A view of no size asks nothing. */
export function useLayout(structure: string, { width, height }: Size, failed: (error: CallError) => void): Laid | null {
  const [laid, setLaid] = useState<Laid | null>(null);
  const layouts = useRef<Layouts | null>(null);
  useEffect(() => {
    const made = new Layouts(failed);
    layouts.current = made;
    return () => made.end();
  }, [failed]);
  useEffect(() => {
    if (width === 0 || height === 0) return;
    const [sizes, edges] = JSON.parse(structure) as [Size[], [number, number][]];
    layouts.current?.ask({ sizes, edges, view: { width, height } }, (drawn) => setLaid({ structure, drawn }));
  }, [structure, width, height]);
  return laid;
}

class Layouts {
  readonly #failed: (error: CallError) => void;
  #worker: Worker | null = null;
  #lastId = 0;
  #isBusy = false;

  constructor(failed: (error: CallError) => void) {
    this.#failed = failed;
  }

  /** A request that is still worked on is given up for the next one. */
  ask(asked: Omit<LayoutRequest, 'id'>, done: (drawn: Drawn) => void): void {
    if (this.#isBusy) this.end();
    this.#worker ??= this.#start();
    this.#lastId += 1;
    this.#isBusy = true;
    const id = this.#lastId;
    this.#worker.onmessage = ({ data }: MessageEvent<LayoutReply>) => {
      if (data.id !== id) return;
      this.#isBusy = false;
      done(data.drawn);
    };
    const request: LayoutRequest = { id, ...asked };
    this.#worker.postMessage(request);
  }

  end(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }

  #start(): Worker {
    const worker = new Worker('layout.js', { type: 'module' });
    worker.onerror = (event) => {
      event.preventDefault();
      const hint = 'Check that torc dash still runs, and load the page again. The list below has the same.';
      this.#failed(new CallError('missing', 'The part of the page that draws graphs could not be loaded.', hint));
    };
    return worker;
  }
}
