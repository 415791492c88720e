import type { Handler } from '../../contract/handler.js';

export const getLiveness: Handler<'getLiveness'> = () => ({ status: 200, body: { status: 'ok' } });
