/** Draws the rows and bars of a timeline on the canvas of a chart, whose pixels may be finer than those of the page. */
import type { Colors } from './colors.ts';
import { isSame, type Layout, type Row, type Span, type Tone, tones } from './gantt-layout.ts';
import type { Chart } from './plot.tsx';

function colorOf(tone: Tone, colors: Colors): string {
  switch (tone) {
    case 'success':
      return colors['fill-good'];
    case 'running':
      return colors['fill-running'];
    case 'failed':
      return colors['fill-bad'];
    case 'lost':
      return colors['fill-lost'];
    default:
      return colors['fill-warn'];
  }
}

export function drawLayout(
  chart: Chart,
  { rows, bars, from, binMs }: Layout,
  colors: Colors,
  active: Span | null,
): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  const { min = 0, max = 1 } = chart.scales.x ?? {};
  const [first, last] = [min ?? 0, max ?? 1];
  const x = (at: number): number => chart.valToPos(Math.max(first, Math.min(last, at)), 'x', true);
  const y = (top: number): number => bbox.top + top * ratio;
  const rect = (from: number, to: number, top: number, height: number): void => {
    if (to < first || from > last) return;
    // whole pixels, at least one of them in view: a part of one is too faint to be seen
    const left = Math.min(Math.round(x(from)), Math.floor(bbox.left + bbox.width - ratio));
    const width = Math.round(x(to)) - left;
    ctx.rect(left, y(top), Math.max(ratio, width - (width > 4 * ratio ? ratio : 0)), height * ratio);
  };
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const fill = (color: string, draw: () => void): void => {
    ctx.beginPath();
    draw();
    ctx.fillStyle = color;
    ctx.fill();
  };
  fill(colors['chart-had'], () => {
    for (const { there, top, height } of rows) if (there !== null) rect(there[0], there[1], top, height);
  });
  fill(colors['chart-waits'], () => {
    for (const { waits, top, height } of rows)
      if (waits !== null) rect(waits[0], waits[1], top + height / 4, height / 2);
  });
  for (const { density, top, height } of rows) {
    if (density !== null && binMs !== null) drawDensity(density, top, height);
  }
  for (const tone of tones) {
    fill(colorOf(tone, colors), () => {
      for (const bar of bars) if (bar.tone === tone) rect(bar.from, bar.to, bar.top, bar.height);
    });
  }
  if (active !== null) drawActive(active);
  ctx.restore();

  function drawDensity({ running, failed, most }: NonNullable<Row['density']>, top: number, height: number): void {
    const step = binMs ?? 1;
    const foot = y(top + height);
    fill(colors['chart-given'], () => {
      for (const [bin, count] of running.entries()) {
        if (count <= 0) continue;
        const [left, right] = [x(from + bin * step), x(from + (bin + 1) * step)];
        const tall = Math.max(ratio, (count / most) * height * ratio);
        ctx.rect(left, foot - tall, Math.max(ratio, right - left), tall);
      }
    });
    fill(colors['fill-bad'], () => {
      for (const [bin, count] of failed.entries()) {
        if (count > 0) rect(from + bin * step, from + (bin + 1) * step, top + height - 5, 5);
      }
    });
  }

  function drawActive(span: Span): void {
    ctx.beginPath();
    for (const bar of bars) {
      if (!isSame(bar.span, span)) continue;
      const left = x(bar.from);
      ctx.rect(left, y(bar.top), Math.max(3 * ratio, x(bar.to) - left), Math.max(3, bar.height) * ratio);
    }
    ctx.strokeStyle = colors.text;
    ctx.lineWidth = 2 * ratio;
    ctx.stroke();
  }
}
