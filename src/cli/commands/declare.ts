/** What a group of commands is declared with. */
import type { Command } from 'commander';
import type { Context } from '../context/context.ts';

/** What a command does; returns its exit code, or nothing for 0. */
export type Action = (context: Context) => Promise<number> | Promise<void>;

/** Connects a declared command with what it does, which is loaded only when the command runs. */
export type Act = (command: Command, load: (words: string[], command: Command) => Promise<Action>) => void;

/** Adds a group of commands to the program. */
export type Declare = (program: Command, act: Act) => void;

/** How a command of the program or of one of its groups is typed. */
export function pathOf(group: Command, name: string): string {
  return group.name() === 'torc' ? `torc ${name}` : `torc ${group.name()} ${name}`;
}

/** The last part of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}

/** The commands below and including this one. */
export function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
