/** The server in the background that should run: noted when it starts, forgotten when it is meant to end. */
import type { RelayKind } from '../../api/relay-kinds.ts';
import type { Transaction } from './transaction.ts';

/** Where it runs, and the options that it was started with; null for what it chooses itself. */
export interface LastingServer {
  hostname: string;
  host: string | null;
  port: number | null;
  advertise: string | null;
  relay: RelayKind | null;
  idle_minutes: number | null;
  lease_seconds: number | null;
}

/** Replaces the one that was noted before. */
export function noteLastingServer(tx: Transaction, server: LastingServer): void {
  tx.db.run(
    `INSERT OR REPLACE INTO lasting_server (one, hostname, host, port, advertise, relay, idle_minutes, lease_seconds)
     VALUES (1, ?, ?, ?, ?, ?, ?, ?)`,
    server.hostname,
    server.host,
    server.port,
    server.advertise,
    server.relay,
    server.idle_minutes,
    server.lease_seconds,
  );
}

export function forgetLastingServer(tx: Transaction): void {
  tx.db.run('DELETE FROM lasting_server');
}

export function lastingServer(tx: Transaction): LastingServer | null {
  const sql = 'SELECT hostname, host, port, advertise, relay, idle_minutes, lease_seconds FROM lasting_server';
  return tx.db.get<{ [K in keyof LastingServer]: LastingServer[K] }>(sql) ?? null;
}
