/** Which lines of a graph say something that the others do not. */

type Edge = readonly [from: number, to: number];

/** Without edges that follow from others: from a to c, where one leads from a to b and one from b to c. The graph has no cycle. */
export function withoutImplied(numNodes: number, edges: readonly Edge[]): Edge[] {
  const behind = Array.from({ length: numNodes }, (): number[] => []);
  const numBefore = new Int32Array(numNodes);
  for (const [from, to] of edges) {
    behind[from]?.push(to);
    numBefore[to] = (numBefore[to] ?? 0) + 1;
  }
  const order: number[] = [];
  for (let node = 0; node < numNodes; node += 1) if (numBefore[node] === 0) order.push(node);
  for (const node of order) {
    for (const next of behind[node] ?? []) {
      const left = (numBefore[next] ?? 0) - 1;
      numBefore[next] = left;
      if (left === 0) order.push(next);
    }
  }
  const places = new Int32Array(numNodes);
  for (const [place, node] of order.entries()) places[node] = place;
  const reached = Array.from({ length: numNodes }, () => new Uint8Array(numNodes));
  const kept = new Set<number>();
  for (const node of order.reverse()) {
    const own = reached[node] as Uint8Array;
    // the nearest first: what they lead to needs no line of its own
    const nearest = [...(behind[node] ?? [])].sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
    for (const next of nearest) {
      if (own[next] === 1) continue;
      kept.add(node * numNodes + next);
      own[next] = 1;
      for (const [further, isReached] of (reached[next] as Uint8Array).entries()) if (isReached === 1) own[further] = 1;
    }
  }
  return edges.filter(([from, to]) => kept.has(from * numNodes + to));
}
