/** Node.js's codes, and PostgreSQL's disk_full and io_error. */
const CODES = ['ENOSPC', 'EDQUOT', 'EIO', '53100', '58030'];

/** Whether an error's code says that a disk is full, or fails. */
export function isDiskFailure(code: unknown): boolean {
  return CODES.includes(String(code)) || /^SQLITE_(FULL|IOERR)/.test(String(code));
}
