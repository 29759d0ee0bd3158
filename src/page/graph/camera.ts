/** Which part of a drawing is in view, and how large: pure, in pixels. */

export interface Size {
  width: number;
  height: number;
}

export interface Box extends Size {
  x: number;
  y: number;
}

/** A point p of the drawing is shown at p * zoom + (x, y). */
export interface Camera {
  x: number;
  y: number;
  zoom: number;
}

const [smallest, largest] = [0.05, 3];
/** A small drawing is not blown up. */
const largestFit = 1.15;
const margin = 24;
/** For the buttons below the drawing. */
const foot = 26;

/** Below this size nothing can be read, and the whole drawing says little. */
const smallestWhole = 0.3;
const beginning = 0.6;

/** What is seen first: the whole drawing, or the beginning of a large one. */
export function begun(drawing: Size, view: Size): Camera {
  const whole = fitted(drawing, view);
  if (whole.zoom >= smallestWhole) return whole;
  const place = (inView: number, drawn: number): number => Math.max(margin, (inView - drawn * beginning) / 2);
  return { zoom: beginning, x: place(view.width, drawing.width), y: place(view.height - foot, drawing.height) };
}

/** The whole drawing in the middle of the view. */
export function fitted(drawing: Size, view: Size): Camera {
  const zoom = fitZoom(drawing, view);
  return { zoom, x: (view.width - drawing.width * zoom) / 2, y: (view.height - foot - drawing.height * zoom) / 2 };
}

/** How large a drawing is when all of it is in view. */
export function fitZoom(drawing: Size, view: Size): number {
  const room = (inView: number, drawn: number) => Math.max(1, inView - 2 * margin) / Math.max(1, drawn);
  return Math.min(room(view.width, drawing.width), room(view.height - foot, drawing.height), largestFit);
}

/** Larger or smaller around a point of the view, which stays where it is. */
export function zoomed(camera: Camera, factor: number, at: { x: number; y: number }): Camera {
  const zoom = clamped(camera.zoom * factor);
  const scale = zoom / camera.zoom;
  return { zoom, x: at.x - (at.x - camera.x) * scale, y: at.y - (at.y - camera.y) * scale };
}

export function moved(camera: Camera, dx: number, dy: number): Camera {
  return { ...camera, x: camera.x + dx, y: camera.y + dy };
}

/** Moved as little as brings a box of the drawing into view; its beginning, where it is larger than that. */
export function showing(camera: Camera, box: Box, view: Size): Camera {
  const shift = (from: number, length: number, room: number): number => {
    const [begins, ends] = [from - margin, from + length + margin];
    if (begins < 0 || ends - begins > room) return -begins;
    return ends > room ? room - ends : 0;
  };
  const { x, y, zoom } = camera;
  return moved(
    camera,
    shift(box.x * zoom + x, box.width * zoom, view.width),
    shift(box.y * zoom + y, box.height * zoom, view.height),
  );
}

interface Sides {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What of a view is left beside a panel at its right, or above one at its bottom. */
export function uncovered(view: Sides, panel: Sides | null): Size {
  const { left, top, right, bottom } = view;
  const isBeside = panel !== null && panel.left > (left + right) / 2;
  return {
    width: (isBeside ? panel.left : right) - left,
    height: (panel === null || isBeside ? bottom : panel.top) - top,
  };
}

function clamped(zoom: number): number {
  return Math.max(smallest, Math.min(largest, zoom));
}
