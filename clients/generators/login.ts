export type Credentials = { email: string; password: string };

/** What a client makes of a reply: the token of a 200, the message of anything else, and the fields to blame of a 400. */
export type Outcome = { token?: string; message?: string; fields?: string[] };
