// Runs a command, `tsx test/support/with-postgresql.ts tap run`, with one PostgreSQL for all tests: a server of each file's own
// takes a tenth of their time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startTemporaryPostgresql } from './temporary-postgresql.js';

const [command = '', ...args] = process.argv.slice(2);
// An fsync guards against the end of the machine, which is also that of the tests. Two files run at once, and each may have several
// services with a pool.
const postgresql = await startTemporaryPostgresql(['-c', 'fsync=off', '-c', 'max_connections=300']);
const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, TEST_POSTGRESQL: postgresql.url } });
const [code] = await once(child, 'exit').finally(() => postgresql.stop());
process.exitCode = code ?? 1;
