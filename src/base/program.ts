/** This same program as a child process, and in scripts that run on other nodes. */
import { fileURLToPath } from 'node:url';

/** The entry of the command line. */
export function programPath(): string {
  return fileURLToPath(new URL('../cli/main.js', import.meta.url));
}
