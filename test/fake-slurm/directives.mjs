/** Reads `#SBATCH` lines as sbatch does: quotes and backslashes as in a shell, `#` begins a comment. */

function words(text) {
  const found = [];
  let word = null;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quote === '' && /\s/.test(char)) {
      if (word !== null) found.push(word);
      word = null;
    } else if (quote === '' && char === '#') break;
    else if (char === '\\') {
      at += 1;
      word = (word ?? '') + (text[at] ?? '');
    } else if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      word ??= '';
    } else word = (word ?? '') + char;
  }
  if (quote !== '') throw new Error(`missing quotation mark in [${text}]`);
  if (word !== null) found.push(word);
  return found;
}

/** Long options of a script, by name; a flag has the value ''. */
export function directivesOf(script) {
  const options = {};
  for (const line of script.split('\n')) {
    if (!line.startsWith('#') && line.trim() !== '') break;
    if (!line.startsWith('#SBATCH')) continue;
    for (const word of words(line.slice('#SBATCH'.length))) {
      const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
      if (name !== undefined) options[name] = value ?? '';
    }
  }
  return options;
}

/** Seconds of `D-HH:MM:SS` and its shorter forms. */
export function secondsOf(time) {
  const [, days, first, second, third] = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(time) ?? [];
  if (first === undefined) return null;
  const parts = [Number(first), Number(second ?? 0), Number(third ?? 0)];
  if (days !== undefined || third !== undefined) {
    return Number(days ?? 0) * 86400 + parts[0] * 3600 + parts[1] * 60 + parts[2];
  }
  return parts[0] * 60 + parts[1];
}
