/** For tests of `torc tui`: a place and a terminal in it for each test of a file. */
import { afterEach, beforeEach } from 'vitest';
import { openTerminal, type Terminal, type TerminalSize } from '../support/terminal.ts';
import { newPlace, type Place } from './place.ts';

interface TerminalTest {
  place: Place;
  /** Opens the only terminal of the test in the place and types a command. */
  opened(size: TerminalSize, command: string): Promise<Terminal>;
}

/** The terminal is closed and the place removed after each test. */
export function eachTestWithTerminal(made: (test: TerminalTest) => void): void {
  let place: Place;
  let terminal: Terminal | null = null;
  beforeEach(() => {
    place = newPlace();
    const opened = async (size: TerminalSize, command: string): Promise<Terminal> => {
      terminal = await openTerminal(place.path, size, { TORC_DIR: place.dir });
      terminal.enter(command);
      return terminal;
    };
    made({ place, opened });
  });
  afterEach(async () => {
    terminal?.close();
    terminal = null;
    await place.remove();
  });
}
