import type { components } from './contract.js';

export {
  type AdminClient,
  type ClientOptions,
  createAdminClient,
  createClient,
  createUserClient,
  type PublicClient,
  type Reply,
  type RequestOptions,
  UnexpectedReply,
  type UserClient,
} from './client.js';
export { type KeepSessionOptions, type KeptSession, keepSession, RenewalFailed } from './session.js';

/** The schemas of the contract, by name: `Schemas['User']`. */
export type Schemas = components['schemas'];
