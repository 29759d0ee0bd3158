/** Lays graphs out beside the page: a large one takes seconds, in which the page must answer. */
import { layOut } from './layout.ts';
import type { LayoutReply, LayoutRequest } from './use-layout.ts';

addEventListener('message', ({ data }: MessageEvent<LayoutRequest>) => {
  const { id, sizes, edges, view } = data;
  const reply: LayoutReply = { id, drawn: layOut(sizes, edges, view) };
  postMessage(reply);
});
