/** Lists of numbers as the kernel and Slurm write them: `0-3,8`. */

/** The numbers of a list, in its order; null when it is none. */
export function numbersIn(list: string): number[] | null {
  const numbers: number[] = [];
  const text = list.trim();
  for (const part of text === '' ? [] : text.split(',')) {
    const match = /^([0-9]{1,6})(?:-([0-9]{1,6}))?$/.exec(part);
    if (match === null) return null;
    const last = Number(match[2] ?? match[1]);
    for (let number = Number(match[1]); number <= last; number += 1) numbers.push(number);
  }
  return numbers;
}

/** Ascending numbers as a list. */
export function numberList(numbers: readonly number[]): string {
  let list = '';
  for (let at = 0; at < numbers.length; at += 1) {
    const first = numbers[at] as number;
    let last = first;
    while (numbers[at + 1] === last + 1) {
      last += 1;
      at += 1;
    }
    list += `${list === '' ? '' : ','}${first}${last === first ? '' : `-${last}`}`;
  }
  return list;
}
