/** Whose databases are supported; each has migrations, and a client of Prisma's, of its own. */
export const PROVIDERS = ['sqlite', 'postgresql'] as const;
export type Provider = (typeof PROVIDERS)[number];

export type DatabaseUrl = { provider: 'sqlite'; file: string } | { provider: 'postgresql'; href: string };

/** The URL without user and password. */
export function redactedUrl(url: DatabaseUrl): string {
  if (url.provider === 'sqlite') return `file:${url.file}`;
  const { protocol, host, pathname } = new URL(url.href);
  return `${protocol}//${host}${pathname}`;
}
