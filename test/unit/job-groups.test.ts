import { describe, expect, it } from 'vitest';
import { graphDot } from '../../src/cli/output/graph-dot.ts';
import { layOut } from '../../src/cli/output/graph-layout.ts';
import { graphFile } from '../../src/cli/output/graph-svg.ts';
import { buildGraph } from '../../src/model/graph/graph.ts';
import type { GroupedGraph } from '../../src/model/graph/grouped-graph.ts';
import { groupJobs, mostGroups } from '../../src/model/graph/job-groups.ts';
import { JobNames } from '../../src/model/graph/job-names.ts';

/** Jobs by name; edges name them, or barriers as b0, b1 .. */
function groupsOf(names: string[], edges: [number, number][], numBarriers = 0): GroupedGraph {
  const graph = buildGraph(names.length, numBarriers, edges);
  return groupJobs({
    numJobs: names.length,
    graph,
    names: JobNames.of(names),
    countedAs: new Uint8Array(names.length),
    words: ['ready'],
  });
}

function many(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}${n}`);
}

function shown({ groups, edges }: GroupedGraph) {
  const label = (n: number) => groups[n]?.label;
  return {
    groups: groups.map(({ label, num_jobs, stage }) => [label, num_jobs, stage]),
    edges: edges.map(([a, b]) => `${label(a)} > ${label(b)}`).sort(),
  };
}

describe('groups of jobs', () => {
  it('are the jobs themselves if there are few', () => {
    const diamond: [number, number][] = [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
    ];
    expect(shown(groupsOf(['pre', 'work1', 'work2', 'post'], diamond))).toEqual({
      groups: [
        ['pre', 1, 1],
        ['work1', 1, 2],
        ['work2', 1, 2],
        ['post', 1, 3],
      ],
      edges: ['pre > work1', 'pre > work2', 'work1 > post', 'work2 > post'],
    });
  });

  it('join jobs with similar names and neighbours, and keep the odd one out separate', () => {
    const names = ['prepare', ...many('train_lr0.0', 18), 'train_alone', 'evaluate'];
    const edges = names.slice(1, 19).flatMap((_, n): [number, number][] => [
      [0, n + 1],
      [n + 1, 20],
    ]);
    expect(shown(groupsOf(names, [...edges, [0, 19]]))).toEqual({
      groups: [
        ['prepare', 1, 1],
        ['train_lr*', 18, 2],
        ['train_alone', 1, 2],
        ['evaluate', 1, 3],
      ],
      edges: ['prepare > train_alone', 'prepare > train_lr*', 'train_lr* > evaluate'],
    });
  });

  it('stand on both sides of a barrier, which is folded unless it joins several with several', () => {
    const stages = [...many('a_', 100), ...many('b_', 50)];
    const through = stages.map((_, n): [number, number] => (n < 100 ? [n, -1] : [-1, n]));
    expect(shown(groupsOf(stages, through, 1))).toEqual({
      groups: [
        ['a_*', 100, 1],
        ['b_*', 50, 2],
      ],
      edges: ['a_* > b_*'],
    });
    const mixed = groupsOf(
      ['a', 'b', 'c', 'd'],
      [
        [0, -1],
        [1, -1],
        [-1, 2],
        [-1, 3],
      ],
      1,
    );
    expect(mixed.groups.map(({ num_jobs }) => num_jobs)).toEqual([1, 1, 1, 1, 0]);
    expect(mixed.edges).toHaveLength(4);
  });

  it('are never too many to look at', () => {
    const words = Array.from(
      { length: 2000 },
      (_, n) => `${String.fromCharCode(97 + (n % 26), 97 + (n % 23), 97 + (n % 19))}_${n}`,
    );
    const wide = groupsOf(words, []);
    expect(wide.groups).toMatchObject([{ label: 'stage 1: *', num_jobs: 2000 }]);
    const chain = words.slice(1).map((_, n): [number, number] => [n, n + 1]);
    const long = groupsOf(words, chain);
    expect(long.groups.length).toBeLessThanOrEqual(mostGroups);
    expect(long.groups.length).toBeGreaterThan(mostGroups / 2);
    expect(long.groups.reduce((sum, group) => sum + group.num_jobs, 0)).toBe(2000);
    expect(long.edges).toHaveLength(long.groups.length - 1);
    expect(groupsOf([], [])).toEqual({ groups: [], edges: [] });
  });
});

describe('pictures', () => {
  const odd = 'a "b" <c> & \'d\' \\ {e}\n\u0001\u{1f680}';
  const graph: GroupedGraph = {
    groups: [
      { label: odd, num_jobs: 1, stage: 1, counts: { failed: 1 } },
      { label: 'x*', num_jobs: 3, stage: 2, counts: { done: 2, ready: 1 } },
      { label: '', num_jobs: 0, stage: 2, counts: {} },
    ],
    edges: [
      [0, 2],
      [2, 1],
    ],
  };

  it('escape every name', () => {
    const dot = graphDot('w "1"\\', graph);
    expect(dot.split('\n')[0]).toBe('digraph "w \\"1\\"\\\\" {');
    expect(dot).toContain('label="a \\"b\\" <c> & \'d\' \\\\ {e}\\n\ufffd\u{1f680}\\nfailed"');
    expect(dot).toContain('"x* (3 jobs)\\n2 done, 1 ready", style=striped, fillcolor="#a5d6a7;0.6667:#bbdefb"');
    expect(dot).toContain('n0 -> n2;');
    const svg = graphFile('<w>&', graph);
    expect(svg).toContain('<title>&lt;w&gt;&amp;</title>');
    expect(svg).toContain('a &quot;b&quot; &lt;c&gt; &amp; &#39;d&#39; \\ {e}⏎\ufffd\u{1f680}');
    // well-formed: every tag is closed
    const tags = [...svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)].filter(([, , , isEmpty]) => isEmpty === '');
    const open: string[] = [];
    for (const [, isEnd, tag = ''] of tags) {
      if (isEnd === '') open.push(tag);
      else expect(open.pop()).toBe(tag);
    }
    expect(open).toEqual([]);
  });

  it('are dark where the page or the desktop is', () => {
    const svg = graphFile('w', graph);
    expect(svg).toContain('prefers-color-scheme:dark');
    // what is drawn on is no color of its own
    expect(svg).toContain('<rect class="ground" width="100%" height="100%"/>');
    expect(svg).not.toMatch(/<(text|rect class="box")[^>]* fill=/);
  });

  it('put every box to the right of its upstreams, and none over another', () => {
    const names = [...many('a', 5), ...many('b', 5), 'c'];
    const edges = names.slice(0, 5).flatMap((_, n): [number, number][] => [
      [n, 9 - n],
      [n, 10],
    ]);
    const grouped = groupsOf(names, edges);
    const { boxes, width, height } = layOut(
      grouped,
      grouped.groups.map(() => ({ width: 50, height: 20 })),
    );
    for (const [from, to] of grouped.edges) {
      expect((boxes[from]?.x ?? 0) + 50).toBeLessThan(boxes[to]?.x ?? 0);
    }
    const overlaps = boxes.flatMap((a, i) =>
      boxes.slice(i + 1).filter((b) => Math.abs(a.x - b.x) < 50 && Math.abs(a.y - b.y) < 20),
    );
    expect(overlaps).toEqual([]);
    expect(Math.max(...boxes.map(({ x }) => x + 50))).toBeLessThan(width);
    expect(Math.max(...boxes.map(({ y }) => y + 20))).toBeLessThan(height);
  });
});
