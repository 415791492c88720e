import Sqlite from 'libsql';

/**
 * Locks a file as another process would.
 *
 * @returns a function that gives the lock back
 */
export function lockSqlite(file: string, begin: 'BEGIN IMMEDIATE' | 'BEGIN EXCLUSIVE' = 'BEGIN IMMEDIATE'): () => void {
  const connection = new Sqlite(file);
  connection.exec(begin);
  return () => {
    connection.exec('ROLLBACK');
    connection.close();
  };
}
