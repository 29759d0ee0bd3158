/** The specification of a schedule or generator, as it is stored with it. */
import type { Request } from '../../api/contract.ts';
import { checkScheduled, type ScheduledSpec } from '../../model/expand/scheduled.ts';
import { decodeSpec } from '../../model/spec/source.ts';
import { cannotActAs, otherUser } from '../connection/other-user.ts';
import type { Context } from '../context/context.ts';
import { readBytes, shownName, specificationHint } from '../documents/given-file.ts';
import { pathPlace } from '../documents/read-spec.ts';
import { actionPlace, checkStorable, noteWithoutEffect } from '../documents/send-workflow.ts';

/** The specification as text, checked as it would expand now, with the variables that its paths use. */
export async function readScheduled(
  context: Context,
  path: string,
  schedule: string,
  items?: string[],
): Promise<Request<'schedule_add'>['specification']> {
  const file = shownName(path);
  const text = decodeSpec(readBytes(path, specificationHint), file);
  return await scheduledSpecification(context, { text, file, syntax: null }, schedule, items);
}

/** The same of a text. */
export async function scheduledSpecification(
  context: Context,
  { text, file, syntax }: Pick<Request<'schedule_add'>['specification'], 'text' | 'file' | 'syntax'>,
  schedule: string,
  items?: string[],
): Promise<Request<'schedule_add'>['specification']> {
  const other = otherUser(context);
  if (other !== null) throw cannotActAs(context, other);
  const place = pathPlace(context);
  const used = new Map<string, string>();
  const variables = recordingUse(place.variables, used);
  const spec: ScheduledSpec = { text, file, syntax: syntax ?? undefined, place: { ...place, variables } };
  const workflow = checkScheduled(spec, {
    schedule,
    at: context.clock.now(),
    timeZone: 'UTC',
    run: 1,
    ...(items === undefined ? {} : { items }),
  });
  await checkStorable(workflow);
  noteWithoutEffect(context, workflow);
  const { workingDirectory, outputDirectory } = actionPlace();
  return {
    text,
    file,
    syntax,
    working_directory: workingDirectory,
    output_directory: outputDirectory,
    home: place.home,
    variables: Object.fromEntries(used),
  };
}

function recordingUse<T extends Readonly<Record<string, string | undefined>>>(
  variables: T,
  used: Map<string, string>,
): T {
  return new Proxy(variables, {
    get(target, key) {
      const value = typeof key === 'string' ? target[key] : undefined;
      if (typeof key === 'string' && value !== undefined) used.set(key, value);
      return value;
    },
  });
}
