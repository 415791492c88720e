/**
 * The form that Prisma writes into SQLite. PostgreSQL's column has no zone, and ignores the offset.
 *
 * @param time - milliseconds since the epoch
 */
export function formatTimestamp(time: number): string {
  return new Date(time).toISOString().replace('Z', '+00:00');
}
