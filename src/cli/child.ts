/** This same program as a child process. */
import { fileURLToPath } from 'node:url';

/** The CLI's entry, for children and for scripts that run on other nodes. */
export function programPath(): string {
  return fileURLToPath(new URL('./main.js', import.meta.url));
}
