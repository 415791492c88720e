// Runs a command, `tsx test/support/with-postgresql.ts tap run`, with one PostgreSQL for all that it starts: a server of each
// file's own would take a sixth of the time of all tests.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startTemporaryPostgresql, WITHOUT_FSYNC } from './temporary-postgresql.js';

const [command = '', ...args] = process.argv.slice(2);
// Two files run at once, and each may have several services with a pool.
const postgresql = await startTemporaryPostgresql([...WITHOUT_FSYNC, '-c', 'max_connections=300']);
const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, TEST_POSTGRESQL: postgresql.url } });
const [code] = await once(child, 'exit').finally(() => postgresql.stop());
process.exitCode = code ?? 1;
