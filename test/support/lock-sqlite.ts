import Sqlite from 'better-sqlite3';

/**
 * Locks a file as another process would.
 *
 * @returns a function that gives the lock back
 */
export function lockSqlite(file: string, begin: 'BEGIN IMMEDIATE' | 'BEGIN EXCLUSIVE' = 'BEGIN IMMEDIATE'): () => void {
  const connection = new Sqlite(file);
  // The service may just be writing.
  connection.exec('PRAGMA busy_timeout = 5000');
  connection.exec(begin);
  return () => {
    connection.exec('ROLLBACK');
    connection.close();
  };
}
