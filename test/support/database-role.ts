import { randomUUID } from 'node:crypto';
import type { Test } from 'tap';
import { createDatabase, execute } from './service.js';

/** A database on PostgreSQL whose owner is a role with the password `old`; `admin` is the URL of its administrator. */
export async function createDatabaseRole(t: Test) {
  const admin = new URL(await createDatabase(t, 'postgresql'));
  const role = `role_${randomUUID().replaceAll('-', '')}`;
  const asAdmin = (sql: string) => execute({ provider: 'postgresql', href: admin.href }, sql);
  await asAdmin(`CREATE ROLE ${role} LOGIN PASSWORD 'old'`);
  await asAdmin(`ALTER DATABASE ${admin.pathname.slice(1)} OWNER TO ${role}`);
  const urlWith = (password: string) => Object.assign(new URL(admin), { username: role, password }).href;
  return { admin, role, asAdmin, urlWith };
}
