import type { Handler } from '../operation.js';

export const getLiveness: Handler<'getLiveness'> = () => ({ status: 200, body: { status: 'ok' } });
