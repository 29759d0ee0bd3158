/** What a PROMINENCE job has in its folder before its tasks start: files in the document, and artifacts from elsewhere. */
import type { SpecPath } from '../spec/problems.ts';
import type { ProminenceJob } from './prominence-format.ts';
import { enterFolder, fileLines, type TaskPlace } from './prominence-tasks.ts';
import { shellWordOf } from './shell-words.ts';

/** How much of the files of a job its command can hold: Linux passes at most 128 KiB to a shell. */
const mostCharacters = 64 * 1024;

/** The command that puts them there; null for a job without any. */
export function stageIn(job: ProminenceJob, path: SpecPath, place: TaskPlace): string | null {
  const literal = { ...place.replaced, parameters: place.replaced.parameters === null ? null : new Set<string>() };
  let room = mostCharacters;
  const inputs = (job.inputs ?? []).flatMap(({ filename, content, executable }, i) => {
    const name = shellWordOf(filename, literal);
    room -= content.length;
    if (room < 0) {
      const where = [...path, 'inputs', i, 'content'];
      place.remarks.leaveOut(where, 'is too large for a command: put the file into the directory of the workflow');
      place.needsFile(filename);
    }
    return [
      ...(filename.includes('/') ? [`mkdir -p -- "$(dirname -- ${name})"`] : []),
      ...(room < 0 ? [`cp -- "$OLDPWD/"${name} ${name}`] : fileLines(name, content)),
      ...(executable === true ? [`chmod +x -- ${name}`] : []),
    ];
  });
  const artifacts = (job.artifacts ?? []).flatMap(({ url, executable, mountpoint }, i) => {
    if (mountpoint != null && !/^[^/:]+:\/[^:]*$/.test(mountpoint)) {
      const expected = 'expected a name, a colon and an absolute path, such as "data:/opt/data"';
      place.findings.add([...path, 'artifacts', i, 'mountpoint'], () => expected);
    }
    return artifactLines(url, executable === true, [...path, 'artifacts', i], place);
  });
  const lines = [...inputs, ...artifacts];
  return lines.length === 0 ? null : ['set -e', enterFolder, ...lines].join('\n');
}

const unpacking: readonly (readonly [pattern: RegExp, command: string])[] = [
  [/\.(?:tar|tar\.gz|tgz|tar\.bz2)$/, 'tar --extract --file'],
  [/\.zip$/, 'unzip -oq'],
  [/\.gz$/, 'gunzip --force'],
  [/\.bz2$/, 'bunzip2 --force'],
];

function artifactLines(url: string, isExecutable: boolean, path: SpecPath, place: TaskPlace): string[] {
  const { replaced, remarks, needsFile } = place;
  const isUrl = /^(?:https?|ftp):\/\//.test(url);
  const file = (isUrl ? (url.split(/[?#]/)[0] ?? url) : url).split('/').at(-1) ?? url;
  const name = shellWordOf(file, replaced);
  if (!isUrl) {
    remarks.differ([...path, 'url'], 'what was uploaded to PROMINENCE has to be in the directory of the workflow');
    // the name of one job's file is known only when the job is
    if (!/[${}]/.test(url)) needsFile(url);
  }
  const fetch = isUrl
    ? `curl --fail --silent --show-error --location --output ${name} ${shellWordOf(url, replaced)}`
    : `cp -- "$OLDPWD/"${shellWordOf(url, replaced)} ${name}`;
  const unpack = unpacking.find(([pattern]) => pattern.test(file))?.[1];
  return [
    fetch,
    ...(unpack === undefined ? [] : [`${unpack} ${name}`]),
    ...(isExecutable ? [`chmod +x -- ${name}`] : []),
  ];
}
