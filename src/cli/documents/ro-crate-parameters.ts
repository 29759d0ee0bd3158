/** What a workflow takes from outside, as FormalParameters of an RO-Crate, and the values of user data. */
import { jsonText, WrittenNumber } from '../../base/exact-json.ts';
import { type Entity, type FileFound, ref } from './ro-crate.ts';

/** As the profile names them, by the type of a JSON value. */
const dataTypes = new Map([
  ['string', 'Text'],
  ['number', 'Number'],
  ['boolean', 'Boolean'],
]);

function dataType(data: unknown): string {
  // what is structured is a PropertyValue
  return data instanceof WrittenNumber ? 'Number' : (dataTypes.get(typeof data) ?? 'PropertyValue');
}

export function fileParameterId(fileKey: unknown): string {
  return `#parameter-file-${fileKey}`;
}

export function fileParameter(fileKey: unknown, name: string, { id, isDirectory }: FileFound): Entity {
  const additionalType = isDirectory ? 'Dataset' : 'File';
  return { '@id': fileParameterId(fileKey), '@type': 'FormalParameter', additionalType, name, workExample: ref(id) };
}

export function userDataParameterId(userDataKey: unknown): string {
  return `#parameter-user-data-${userDataKey}`;
}

export function userDataId(userDataKey: unknown): string {
  return `#user-data-${userDataKey}`;
}

export function* userData(userDataKey: unknown, name: string, data: unknown, clean: (text: string) => string) {
  const parameter = userDataParameterId(userDataKey);
  yield {
    '@id': parameter,
    '@type': 'FormalParameter',
    additionalType: dataType(data),
    name,
    workExample: ref(userDataId(userDataKey)),
  } satisfies Entity;
  yield {
    '@id': userDataId(userDataKey),
    '@type': 'PropertyValue',
    name,
    value: clean(typeof data === 'string' ? data : jsonText(data)),
    exampleOfWork: ref(parameter),
  } satisfies Entity;
}
