/**
 * Moving a drawing with the mouse and the keyboard. The camera is not the state of a component: keys can come faster than
 * the page is drawn, and each one acts on where the last one went.
 */
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { type Box, begun, type Camera, fitted, moved, type Size, showing, uncovered, zoomed } from './camera.ts';

const zoomStep = 1.25;
const moveStep = 60;
/** Less is a click. */
const leastDrag = 4;

export interface Moves {
  zoomBy(factor: number): void;
  fit(): void;
  show(box: Box): void;
}

export interface Parts {
  /** Has the size of the view. */
  svg: RefObject<SVGSVGElement | null>;
  /** Has the drawing, and is moved. */
  layer: RefObject<SVGGElement | null>;
  /** May hide some of the view, at its right or its bottom. */
  panel: RefObject<HTMLElement | null>;
}

export function useCamera({ svg, layer, panel }: Parts, drawing: Size, resized: (view: Size) => void): Moves {
  const stage = useRef<Stage | null>(null);
  useLayoutEffect(() => {
    if (svg.current === null || layer.current === null) return;
    const made = new Stage(svg.current, layer.current, panel, resized);
    stage.current = made;
    return () => made.end();
  }, [svg, layer, panel, resized]);
  const { width, height } = drawing;
  useLayoutEffect(() => stage.current?.draw({ width, height }), [width, height]);
  return useMemo(
    () => ({
      zoomBy: (factor) => stage.current?.zoomBy(factor),
      fit: () => stage.current?.fit(),
      show: (box) => stage.current?.show(box),
    }),
    [],
  );
}

class Stage {
  readonly #svg: SVGSVGElement;
  readonly #layer: SVGGElement;
  readonly #panel: RefObject<HTMLElement | null>;
  readonly #ending = new AbortController();
  #camera: Camera = { x: 0, y: 0, zoom: 1 };
  #drawing: Size = { width: 0, height: 0 };
  #view: Size;
  /** What follows the size of the window until somebody moves it. */
  #rest: typeof begun | null = begun;

  constructor(
    svg: SVGSVGElement,
    layer: SVGGElement,
    panel: RefObject<HTMLElement | null>,
    resized: (view: Size) => void,
  ) {
    this.#svg = svg;
    this.#layer = layer;
    this.#panel = panel;
    const { signal } = this.#ending;
    this.#view = sizeOf(svg);
    const observer = new ResizeObserver(() => {
      this.#view = sizeOf(svg);
      resized(this.#view);
      this.#restore();
    });
    observer.observe(svg);
    signal.addEventListener('abort', () => observer.disconnect());
    document.addEventListener('keydown', (event) => this.#press(event), { signal });
    svg.addEventListener('wheel', (event) => this.#turn(event), { signal, passive: false });
    svg.addEventListener('pointerdown', (event) => this.#grab(event), { signal });
    // a link can be dragged too
    svg.addEventListener('dragstart', (event) => event.preventDefault(), { signal });
  }

  end(): void {
    this.#ending.abort();
  }

  /** Another drawing, or the same one in another size. */
  draw(drawing: Size): void {
    this.#drawing = drawing;
    this.#restore();
  }

  fit(): void {
    this.#rest = fitted;
    this.#restore();
  }

  #restore(): void {
    if (this.#rest !== null) this.#set(this.#rest(this.#drawing, this.#freeView()));
  }

  zoomBy(factor: number): void {
    this.#take(zoomed(this.#camera, factor, { x: this.#view.width / 2, y: this.#view.height / 2 }));
  }

  show(box: Box): void {
    const camera = showing(this.#camera, box, this.#freeView());
    if (camera.x !== this.#camera.x || camera.y !== this.#camera.y) this.#take(camera);
  }

  #freeView(): Size {
    const [view, panel] = [this.#svg.getBoundingClientRect(), this.#panel.current?.getBoundingClientRect()];
    return uncovered(view, panel ?? null);
  }

  #take(camera: Camera): void {
    this.#rest = null;
    this.#set(camera);
  }

  #set(camera: Camera): void {
    this.#camera = camera;
    const { x, y, zoom } = camera;
    this.#layer.setAttribute('transform', `translate(${x} ${y}) scale(${zoom})`);
  }

  #press(event: KeyboardEvent): void {
    const { target, key } = event;
    const isElsewhere =
      target instanceof Element && target.closest('input, select, textarea, dialog, aside, details') !== null;
    if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, () => void> = {
      '+': () => this.zoomBy(zoomStep),
      '=': () => this.zoomBy(zoomStep),
      '-': () => this.zoomBy(1 / zoomStep),
      '0': () => this.fit(),
      ArrowLeft: () => this.#take(moved(this.#camera, moveStep, 0)),
      ArrowRight: () => this.#take(moved(this.#camera, -moveStep, 0)),
      ArrowUp: () => this.#take(moved(this.#camera, 0, moveStep)),
      ArrowDown: () => this.#take(moved(this.#camera, 0, -moveStep)),
    };
    const move = moves[key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  }

  #turn(event: WheelEvent): void {
    event.preventDefault();
    const { left, top } = this.#svg.getBoundingClientRect();
    // some mice count in lines
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * 30;
    const factor = Math.exp(-Math.max(-100, Math.min(100, pixels)) / 400);
    this.#take(zoomed(this.#camera, factor, { x: event.clientX - left, y: event.clientY - top }));
  }

  #grab(down: PointerEvent): void {
    if (down.button !== 0) return;
    const drag = new AbortController();
    const signal = AbortSignal.any([drag.signal, this.#ending.signal]);
    let last = { x: down.clientX, y: down.clientY };
    let isDrag = false;
    const move = (event: PointerEvent): void => {
      if (event.pointerId !== down.pointerId) return;
      if (!isDrag && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < leastDrag) return;
      if (!isDrag) this.#svg.setPointerCapture(down.pointerId);
      isDrag = true;
      this.#take(moved(this.#camera, event.clientX - last.x, event.clientY - last.y));
      last = { x: event.clientX, y: event.clientY };
    };
    const release = (event: PointerEvent): void => {
      if (event.pointerId !== down.pointerId) return;
      drag.abort();
      if (!isDrag) return;
      // what was dragged is not opened
      const swallow = (click: Event): void => {
        click.preventDefault();
        click.stopPropagation();
      };
      this.#svg.addEventListener('click', swallow, { capture: true, once: true });
      setTimeout(() => this.#svg.removeEventListener('click', swallow, { capture: true }));
    };
    document.addEventListener('pointermove', move, { signal });
    document.addEventListener('pointerup', release, { signal });
    document.addEventListener('pointercancel', release, { signal });
  }
}

function sizeOf(element: Element): Size {
  const { width, height } = element.getBoundingClientRect();
  return { width, height };
}
