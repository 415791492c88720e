/**
 * As Prisma writes it into SQLite; PostgreSQL, whose column has no zone, takes the UTC that is before it.
 *
 * @param time - milliseconds since the epoch
 */
export function formatTimestamp(time: number): string {
  return new Date(time).toISOString().replace('Z', '+00:00');
}
