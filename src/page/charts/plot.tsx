/** A chart over time. The library that draws it is loaded with the first one. */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { formatDuration } from '../format.ts';
import { type Colors, useColors } from './colors.ts';
import { markTexts, steps, type TimeWindow } from './window.ts';

type Library = typeof uPlot;
let loading: Promise<Library> | null = null;

function loadLibrary(): Promise<Library> {
  loading ??= import('uplot').then((module) => module.default);
  return loading;
}

export type Data = uPlot.AlignedData;
export type Chart = uPlot;

/** Of the axis of time. */
export const timeAxisHeight = 26;

/** Of the axis of values. */
const valueAxisWidth = 64;

/** What a chart says beyond what all charts have. */
export interface Look {
  series: uPlot.Series[];
  /** Each value lasts until the next one, instead of a line between them. */
  isStepped?: boolean;
  /** Of values; null for none. */
  valueText: ((value: number) => string) | null;
  /** Of the least values of the axis' end; null where the chart has no axis of values. */
  most: ((largest: number) => number) | null;
  /** Distances of the marks on the axis of values; null for round numbers. */
  valueSteps?: readonly number[] | null;
  hooks?: uPlot.Hooks.Arrays;
  /** Charts with the same word have their cursors at the same instant. */
  together?: string;
  hasTime?: boolean;
  /** Time on top, for tall charts. */
  isTimeOnTop?: boolean;
  /** Times are durations since a start instead of instants. */
  isSinceStart?: boolean;
}

export interface PlotProps {
  /** Asked again for other colors and for another `id`; what it returns may look at references, not at variables. */
  look: (colors: Colors) => Look;
  id?: string;
  data: Data;
  shown: TimeWindow;
  height: number;
  /** A part of the time was chosen with the pointer; null where none can be. */
  choose: ((chosen: TimeWindow) => void) | null;
  chart?: RefObject<Chart | null>;
}

export function Plot({ look, id = '', data, shown, height, choose, chart: given }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const own = useRef<Chart | null>(null);
  const chart = given ?? own;
  const colors = useColors();
  const [lib, setLib] = useState<Library | null>(null);
  const [width, setWidth] = useState(0);
  // what the chart asks for later is what was given last
  const latest = useRef({ shown, choose, look, data, height, width });
  latest.current = { shown, choose, look, data, height, width };

  useEffect(() => {
    let isGone = false;
    void loadLibrary().then((loaded) => {
      if (!isGone) setLib(() => loaded);
    });
    return () => {
      isGone = true;
    };
  }, []);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => observer.disconnect();
  }, []);
  const canDraw = width > 0;
  useEffect(() => {
    const element = place.current;
    if (lib === null || element === null || !canDraw) return;
    const { data, height, width, look } = latest.current;
    const made = new lib(optionsOf(lib, look(colors), { colors, width, height }, latest), data, element);
    chart.current = made;
    return () => {
      made.destroy();
      if (chart.current === made) chart.current = null;
    };
  }, [lib, colors, canDraw, id, chart]);
  useEffect(() => {
    if (canDraw) chart.current?.setSize({ width, height });
  }, [width, height, canDraw, chart]);
  useEffect(() => chart.current?.setData(data, true), [data, shown.from, shown.to, chart]);
  return <div class="plot" ref={place} style={{ height: `${height}px` }} />;
}

type Latest = RefObject<Pick<PlotProps, 'shown' | 'choose'>>;

function optionsOf(
  lib: Library,
  look: Look,
  { colors, ...size }: { colors: Colors; width: number; height: number },
  latest: Latest,
): uPlot.Options {
  const { valueText, valueSteps = null, most, hooks = {}, together, isTimeOnTop = false, isSinceStart = false } = look;
  const { hasTime = true } = look;
  const sideWidth = valueText === null ? 0 : valueAxisWidth;
  const stepped = look.isStepped === true ? lib.paths.stepped?.({ align: 1 }) : undefined;
  const series = look.series.map((each) => ({
    points: { show: false },
    ...each,
    ...(stepped === undefined ? {} : { paths: stepped }),
  }));
  const lines = { stroke: colors.line, width: 1 };
  const axis = { stroke: colors.faint, grid: lines, ticks: { ...lines, size: 4 }, font: '12px system-ui, sans-serif' };
  const select = (chart: Chart): void => {
    const { left, width } = chart.select;
    if (width < 4) return;
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    latest.current?.choose?.({ from: chart.posToVal(left, 'x'), to: chart.posToVal(left + width, 'x') });
  };
  return {
    ...size,
    ms: 1,
    padding: [isTimeOnTop ? 0 : 8, isSinceStart ? 28 : 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: latest.current?.choose !== null, y: false, setScale: false },
      ...(together === undefined ? {} : { sync: { key: together } }),
    },
    scales: {
      x: {
        time: true,
        range: () => [latest.current?.shown.from ?? 0, latest.current?.shown.to ?? 1],
      },
      y: { range: (_chart, _least, largest) => [0, most === null ? 1 : most(largest ?? 0)] },
    },
    axes: [
      {
        ...axis,
        show: hasTime,
        side: isTimeOnTop ? 0 : 2,
        size: timeAxisHeight,
        space: 110,
        incrs: [...steps],
        values: (chart, marks, _axis, _space, step) => {
          if (isSinceStart) return marks.map((mark) => formatDuration(mark / 1000));
          const { min, max } = chart.scales.x ?? {};
          const msPerPixel = ((max ?? 1) - (min ?? 0)) / Math.max(1, chart.width - sideWidth);
          return markTexts(marks, step, (min ?? 0) - sideWidth * msPerPixel, msPerPixel);
        },
      },
      {
        ...axis,
        show: valueText !== null,
        size: valueAxisWidth,
        ...(valueSteps === null ? {} : { incrs: [...valueSteps] }),
        values: (_chart, marks) => marks.map((mark) => valueText?.(mark) ?? ''),
      },
    ],
    series: [{}, ...series],
    hooks: { ...hooks, setSelect: [...(hooks.setSelect ?? []), select] },
  };
}
