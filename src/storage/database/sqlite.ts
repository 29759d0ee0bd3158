/** SQLite itself: a module that was compiled for one version of Node and one system. */
import Sqlite from 'better-sqlite3';
import { TorcError } from '../../base/errors.ts';

/** Opens a database file. Throws the database's error, or TorcError 'unusable' when SQLite cannot be loaded. */
export function openSqlite(path: string, options?: Sqlite.Options): Sqlite.Database {
  try {
    return new Sqlite(path, options);
  } catch (error) {
    throw explainLoad(error);
  }
}

/** Throws TorcError 'unusable' when SQLite cannot be loaded. Leaves nothing anywhere. */
export function requireSqlite(): void {
  openSqlite(':memory:').close();
}

/** An error of the database itself stays as it is. */
export function explainLoad(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Sqlite.SqliteError) return error;
  const node = `Node ${process.versions.node}`;
  const compiledFor = /NODE_MODULE_VERSION (\d+)\. This version of Node\.js requires\s+NODE_MODULE_VERSION (\d+)/.exec(
    error.message,
  );
  if (compiledFor !== null) {
    const [, its = '', ours = ''] = compiledFor;
    return new TorcError(
      'unusable',
      `better-sqlite3 was compiled for another version of Node (ABI ${its}), and this is ${node} (ABI ${ours})`,
      'Use the Node that torc was installed with (such as module load ..), or install torc again with this one; in a checkout: npm rebuild better-sqlite3',
    );
  }
  const again = 'Install torc again; in a checkout: npm rebuild better-sqlite3';
  if (error.message.startsWith('Could not locate the bindings file')) {
    return new TorcError('unusable', 'better-sqlite3 cannot be loaded: its compiled module is missing', again);
  }
  if ('code' in error && error.code === 'ERR_DLOPEN_FAILED') {
    const [why = ''] = error.message.split('\n');
    return new TorcError(
      'unusable',
      `better-sqlite3 cannot be loaded: ${why}`,
      `${again}. It has to be compiled for this system.`,
    );
  }
  return error;
}
