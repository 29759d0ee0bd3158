#!/usr/bin/env node
/** The entry of the CLI: runs one command line, prints its error, and is the only place that sets the exit code. */
import { checkArguments, currentDirectory } from '../base/bytes.ts';
import { asTorcError, exitCodes, type TorcError } from '../base/errors.ts';
import { visible } from '../base/text.ts';
import { version } from '../base/version.ts';
import { isJsonAsked } from './context/context.ts';
import { processInterrupts } from './context/interrupts.ts';
import { processTerminal, type Terminal } from './context/terminal.ts';

/** As JSON, an invalid specification also has the position of each problem. */
function printError(terminal: Terminal, error: TorcError, isJson: boolean): void {
  const { code, message, hint } = error;
  if (isJson) {
    const problems = 'problems' in error ? { problems: error.problems } : {};
    terminal.err(`${JSON.stringify({ error: { code, message, hint, ...problems } })}\n`);
    return;
  }
  // messages contain names from specifications, which must not control the terminal
  const lines = message.split('\n').map(visible);
  const text = lines.length > 1 ? ['', ...lines].join('\n') : ` ${lines[0]}`;
  terminal.err(`error:${text}\n${hint === null ? '' : `hint: ${visible(hint)}\n`}`);
}

async function main(words: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  const interrupts = processInterrupts(terminal, exitCodes.interrupted);
  const isJson = isJsonAsked(words);
  try {
    if (words.length === 1 && words[0] === '--version') {
      await terminal.out(`${version()}\n`);
      return 0;
    }
    checkArguments(words);
    currentDirectory();
    const { runProgram } = await import('./program.ts');
    return await runProgram(words, { terminal, interrupts });
  } catch (thrown) {
    const error = asTorcError(thrown);
    printError(terminal, error, isJson);
    if (thrown !== error && thrown instanceof Error && !isJson) terminal.err(`${thrown.stack}\n`);
    return error.exitCode;
  }
}

// Skips closing what is still open: a database that another process has taken over must not be written again.
process.once('exit', (code) => process.exit(code));
// By default this signal opens node's debugger, through which any user of this host could run code as this user.
process.on('SIGUSR1', () => {});
process.exitCode = await main(process.argv.slice(2));
