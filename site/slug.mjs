/** The anchor of a heading, as GitHub makes it: links between documents work there and on the site. */
export function slugOf(heading) {
  const text = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, '');
  return text.replaceAll(' ', '-');
}
