import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority, createCertificate } from './certificates.js';
import { startTemporaryPostgresql, type TemporaryPostgresql } from './temporary-postgresql.js';

/** `directory` has ca.crt, and client.crt and client.key for the role `sessions`. */
export type TlsPostgresql = TemporaryPostgresql & { directory: string };

/** Clients of the database `template1` must have a certificate; those of others may do without TLS. */
const HBA = `hostssl template1 all all scram-sha-256 clientcert=verify-full
host all all all scram-sha-256
`;

/** Starts an empty PostgreSQL with TLS, whose certificate is for `localhost`. */
export async function startTlsPostgresql(): Promise<TlsPostgresql> {
  const directory = await mkdtemp(join(tmpdir(), 'sessions-api-tls-'));
  await createAuthority(directory);
  await createCertificate(directory, 'server', 'localhost');
  await createCertificate(directory, 'client', 'sessions');
  await writeFile(`${directory}/pg_hba.conf`, HBA);
  if (process.getuid?.() === 0) {
    // PostgreSQL runs as another user.
    await chmod(directory, 0o755);
    for (const file of ['server.key', 'pg_hba.conf'])
      await promisify(execFile)('chown', ['postgres', `${directory}/${file}`]);
  }
  const settings = {
    ssl: 'on',
    ssl_cert_file: `${directory}/server.crt`,
    ssl_key_file: `${directory}/server.key`,
    ssl_ca_file: `${directory}/ca.crt`,
    hba_file: `${directory}/pg_hba.conf`,
    listen_addresses: '*',
  };
  const server = await startTemporaryPostgresql(
    Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  );
  return {
    ...server,
    directory,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
}
