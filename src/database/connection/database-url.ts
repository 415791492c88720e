import { resolve } from 'node:path';

/** Supported databases. Each has its own migrations and Prisma client. */
export const PROVIDERS = ['sqlite', 'postgresql'] as const;
export type Provider = (typeof PROVIDERS)[number];

export type DatabaseUrl = { provider: 'sqlite'; file: string } | { provider: 'postgresql'; href: string };

/** The URL without user and password, with the whole path of a file. */
export function redactedUrl(url: DatabaseUrl): string {
  if (url.provider === 'sqlite') return `file:${resolve(url.file)}`;
  const { protocol, host, pathname } = new URL(url.href);
  return `${protocol}//${host}${pathname}`;
}
