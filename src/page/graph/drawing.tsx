// biome-ignore-all lint/a11y/useSemanticElements: parts of a drawing cannot be elements of a document
/** A graph as boxes and lines, which can be moved, zoomed and walked through. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CallError } from '../call.ts';
import { formatCount } from '../format.ts';
import { shares, signOf } from '../parts.tsx';
import { jobHref } from '../route.ts';
import type { Box, Size } from './camera.ts';
import { countOf, cut, type Group, numDone, shareOf, spoken, statusOf } from './groups.ts';
import type { Drawn } from './layout.ts';
import { useCamera } from './use-camera.ts';
import { useLayout } from './use-layout.ts';

const stageSize = { width: 208, height: 62 };
const jobSize = { width: 208, height: 46 };
const pointSize = { width: 10, height: 10 };
/** By how many jobs there are, up to 1. */
const sizes = [pointSize, jobSize];
const inset = 12;
/** Letters of a name that fit beside a sign. */
const mostLetters = 23;

type Edges = readonly (readonly [from: number, to: number])[];

export interface DrawingProps {
  title: string;
  groups: readonly Group[];
  edges: Edges;
  /** Those that are drawn. */
  shown: Edges;
  /** The group whose jobs are shown, and where. */
  chosen: number | null;
  panel: RefObject<HTMLElement | null>;
  choose: (firstJobKey: string) => void;
  failed: (error: CallError) => void;
}

export function Drawing({ title, groups, edges, shown, chosen, panel, choose, failed }: DrawingProps) {
  const svg = useRef<SVGSVGElement>(null);
  const layer = useRef<SVGGElement>(null);
  const [view, setView] = useState<Size | null>(null);
  const [near, setNear] = useState<number | null>(null);
  const laid = useDrawn(groups, shown, view, failed);
  const drawn = laid ?? nothing;
  const camera = useCamera({ svg, layer, panel }, drawn, setView);
  const neighbors = useMemo(() => neighborsOf(groups, edges), [groups, edges]);
  const box = chosen === null ? undefined : drawn.boxes[chosen];
  useLayoutEffect(() => {
    if (box !== undefined) camera.show(box);
  }, [camera, box]);

  const lines = useMemo(() => {
    const isNear = (edge: readonly number[]) => edge.some((end) => end === near || end === chosen);
    return shown.map((edge, index) => (
      <path key={edge.join()} class={isNear(edge) ? 'line near' : 'line'} d={drawn.lines[index]} />
    ));
  }, [shown, drawn, near, chosen]);
  const boxes = useMemo(
    () =>
      inOrder(drawn.boxes).map((index) => {
        const [group, place] = [groups[index], drawn.boxes[index]];
        if (group === undefined || place === undefined) return null;
        return (
          <GroupBox
            key={group.first_job_key ?? `barrier ${index}`}
            group={group}
            place={place}
            label={spoken(group, ...(neighbors[index] ?? [[], []]))}
            isChosen={index === chosen}
            choose={choose}
            look={(isNear) => {
              setNear(isNear ? index : null);
              if (isNear) camera.show(place);
            }}
            point={(isNear) => setNear(isNear ? index : null)}
          />
        );
      }),
    [groups, drawn, neighbors, chosen, choose, camera],
  );
  return (
    <div class="drawing">
      <svg ref={svg} role="group" aria-label={title}>
        <defs>
          {['line', 'near'].map((kind) => (
            <marker
              key={kind}
              id={`arrow-${kind}`}
              class={kind}
              viewBox="0 0 8 8"
              refX="8"
              refY="4"
              markerWidth="9"
              markerHeight="9"
              markerUnits="userSpaceOnUse"
              orient="auto"
            >
              <path d="M0 0 8 4 0 8z" />
            </marker>
          ))}
          <clipPath id="bar">
            <rect x={inset} y={stageSize.height - 15} width={stageSize.width - 2 * inset} height={6} rx={3} />
          </clipPath>
        </defs>
        <g ref={layer}>
          <g>{lines}</g>
          {boxes}
        </g>
      </svg>
      {laid === null ? <p class="faint">laying out ..</p> : null}
      <div class="controls">
        <button type="button" aria-label="smaller" title="smaller ( - )" onClick={() => camera.zoomBy(1 / 1.4)}>
          −
        </button>
        <button type="button" aria-label="larger" title="larger ( + )" onClick={() => camera.zoomBy(1.4)}>
          +
        </button>
        <button type="button" title="all of it ( 0 )" onClick={() => camera.fit()}>
          fit
        </button>
      </div>
    </div>
  );
}

const nothing: Drawn = { width: 0, height: 0, boxes: [], lines: [] };

/** Laid out again when boxes or lines change, not when only counts do; null before the first time. */
function useDrawn(groups: readonly Group[], edges: Edges, view: Size | null, failed: DrawingProps['failed']) {
  const structure = JSON.stringify([groups.map(({ num_jobs }) => sizes[num_jobs] ?? stageSize), edges]);
  // a little wider or narrower makes no difference
  const rough = (pixels = 0): number => Math.ceil(pixels / 50) * 50;
  const laid = useLayout(structure, { width: rough(view?.width), height: rough(view?.height) }, failed);
  return laid?.structure === structure ? laid.drawn : null;
}

/** By group: the names of those before it, and of those after it. */
function neighborsOf(groups: readonly Group[], edges: Edges): [string[], string[]][] {
  const near = groups.map((): [string[], string[]] => [[], []]);
  const nameOf = (group: number): string => groups[group]?.label || 'a barrier';
  for (const [from, to] of edges) {
    near[to]?.[0].push(nameOf(from));
    near[from]?.[1].push(nameOf(to));
  }
  return near;
}

/** As they are read: column by column. */
function inOrder(boxes: readonly Box[]): number[] {
  const at = (index: number): Box => boxes[index] as Box;
  return [...boxes.keys()].sort((a, b) => at(a).x - at(b).x || at(a).y - at(b).y);
}

interface GroupBoxProps {
  group: Group;
  place: Box;
  label: string;
  isChosen: boolean;
  choose: (firstJobKey: string) => void;
  /** The keyboard has come to it, or has left. */
  look: (isNear: boolean) => void;
  /** The mouse has. */
  point: (isNear: boolean) => void;
}

function GroupBox({ group, place, label, isChosen, choose, look, point }: GroupBoxProps) {
  const { num_jobs, first_job_key: key } = group;
  if (key === null) {
    const radius = place.width / 2;
    return <circle class="barrier" cx={place.x + radius} cy={place.y + radius} r={radius} />;
  }
  const { tone } = signOf(statusOf(group));
  const common = {
    class: `box ${tone}${isChosen ? ' chosen' : ''}`,
    transform: `translate(${place.x} ${place.y})`,
    'aria-label': label,
    onFocus: ({ currentTarget }: { currentTarget: Element }) => {
      // a click does not move what it is on
      if (currentTarget.matches(':focus-visible')) look(true);
    },
    onBlur: () => look(false),
    onPointerEnter: () => point(true),
    onPointerLeave: () => point(false),
  };
  if (num_jobs === 1) {
    return (
      <a {...common} href={jobHref(key)}>
        <JobFace group={group} label={label} />
      </a>
    );
  }
  return (
    <g
      {...common}
      role="button"
      tabindex={0}
      aria-expanded={isChosen}
      onClick={() => choose(key)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        choose(key);
      }}
    >
      <StageFace group={group} label={label} />
    </g>
  );
}

function JobFace({ group, label }: { group: Group; label: string }) {
  const { width, height } = jobSize;
  const { sign, word } = signOf(statusOf(group));
  return (
    <>
      <title>{label}</title>
      <rect class="face" width={width} height={height} rx={6} />
      <text class="name" x={inset} y={19}>
        {cut(group.label, mostLetters)}
      </text>
      <text class="state" x={inset} y={36}>
        {sign} {word}
      </text>
    </>
  );
}

/** Jobs that are urgent, of which a box has room for one kind. */
const urgent = ['failed', 'running', 'canceled', 'terminated', 'ready'];

function StageFace({ group, label }: { group: Group; label: string }) {
  const { width, height } = stageSize;
  const status = statusOf(group);
  const inside = width - 2 * inset;
  const share = shareOf(group);
  const [word] = urgent.filter((each) => countOf(group, each) > 0);
  let x = inset;
  return (
    <>
      <title>{label}</title>
      <rect class="behind" x={4} y={4} width={width} height={height} rx={6} />
      <rect class="face" width={width} height={height} rx={6} />
      <text class="name" x={inset} y={20}>
        {cut(group.label, mostLetters)}
      </text>
      <text class="state" x={width - inset} y={20} text-anchor="end">
        {signOf(status).sign}
      </text>
      <text class="count" x={inset} y={37}>
        {formatCount(numDone(group))}/{formatCount(group.num_jobs)}
      </text>
      {word === undefined ? null : (
        <text class="state" x={width - inset} y={37} text-anchor="end">
          {formatCount(countOf(group, word))} {word}
        </text>
      )}
      <g clip-path="url(#bar)">
        <rect class="track" x={inset} y={height - 15} width={inside} height={6} />
        {shares.map(([tone, name]) => {
          const part = ((share[name] ?? 0) / group.num_jobs) * inside;
          if (part === 0) return null;
          const [from, length] = [x, Math.max(1.5, part)];
          x += part;
          return <rect key={name} class={`part ${tone}`} x={from} y={height - 15} width={length} height={6} />;
        })}
      </g>
    </>
  );
}
