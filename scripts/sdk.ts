/** Makes clients/typescript/ from the document as it is served. Its generator is installed there, so that this service's `npm ci` stays small. */
import { execFileSync } from 'node:child_process';

const cwd = new URL('../clients/typescript/', import.meta.url);
const npm = (...args: string[]) => execFileSync('npm', args, { cwd, stdio: 'inherit' });

npm('ci', '--no-audit', '--no-fund');
npm('run', 'generate');
