/**
 * Sessions API
 * 1.3.0
 * DO NOT MODIFY - This file has been generated using oazapfts.
 * See https://www.npmjs.com/package/oazapfts
 */
import * as Oazapfts from "@oazapfts/runtime";
import * as QS from "@oazapfts/runtime/query";
export const defaults: Oazapfts.Defaults<Oazapfts.CustomHeaders> = {
    headers: {},
    baseUrl: "/"
};
const oazapfts = Oazapfts.runtime(defaults);
export const servers = {
    theServiceThatServesThisDocument: "/"
};
export type Credentials = {
    /** Email of user. Case and surrounding space do not matter. */
    email: string;
    /** Password of user. Any Unicode. */
    password: string;
    /** Whether the reply has a refresh token, if renewal is on; true unless given. */
    remember?: boolean;
};
export type Session = {
    /** A JSON Web Token (RFC 7519) in compact form. */
    auth_token: string;
    /** Seconds until the JSON Web Token expires. Only together with a refresh token. */
    expires_in?: number;
    /** For `refreshSession`. Opaque; a secret as a password is. */
    refresh_token?: string;
};
export type FieldError = {
    /** The field's name in the request. */
    field: string;
    message: string;
};
export type Error = {
    /** What went wrong, for a person to read. */
    message: string;
    /** What went wrong, for a program to read. The values are in the description of this document. */
    code?: string;
    /** The errors of the fields, if fields are invalid. */
    errors?: FieldError[];
};
export type InvalidCredentials = {
    message: "Invalid credentials";
};
export type SessionId = string;
export type CurrentSession = {
    /** The user's id. */
    user_id: number;
    /** When the token expires, in seconds since the epoch. */
    exp: number;
    sid?: SessionId;
};
export type Renewal = {
    /** The refresh token of the last reply. */
    refresh_token: string;
};
export type ListedSession = {
    id: SessionId;
    /** Whether it is the session of the token of this request. */
    current: boolean;
    /** When the user logged in. */
    created_at: string;
    /** The last login or renewal. */
    last_used_at: string;
    /** When the session ends, unless it is renewed. */
    expires_at: string;
    /** The IP address of the login. */
    address: string;
    /** The beginning of the login's `User-Agent`. */
    user_agent?: string;
};
export type Sessions = {
    sessions: ListedSession[];
};
export type Jwk = {
    /** The kind of key. */
    kty: string;
    /** The only algorithm that the key is for. */
    alg: string;
    use: "sig";
    /** The key's thumbprint (RFC 7638). */
    kid: string;
    /** The curve of an EC or OKP key. */
    crv?: string;
    /** The public key of an OKP key; the x coordinate of an EC key. */
    x?: string;
    /** The y coordinate of an EC key. */
    y?: string;
    /** The modulus of an RSA key. */
    n?: string;
    /** The exponent of an RSA key. */
    e?: string;
};
export type JwkSet = {
    keys: Jwk[];
};
export type Issuer = {
    /** The `iss` of tokens. */
    issuer: string;
    /** Where the public keys are. */
    jwks_uri: string;
    /** The algorithms of tokens. */
    id_token_signing_alg_values_supported: string[];
    /** The user's id is the same for all. */
    subject_types_supported: string[];
    /** None, since this is no OpenID Connect provider. */
    response_types_supported: string[];
};
export type Health = {
    status: "ok";
};
export type Document = {
    [key: string]: any;
};
/**
 * Log in with email and password
 */
export function createSession(credentials: Credentials, { xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Session;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: InvalidCredentials;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 413;
        data: Error;
    } | {
        status: 415;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/api/v1/sessions", oazapfts.json({
        ...opts,
        method: "POST",
        body: credentials,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    }));
}
/**
 * Show the session of a token
 */
export function getSession({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: CurrentSession;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/api/v1/session", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Log out
 */
export function deleteSession({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 204;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/api/v1/session", {
        ...opts,
        method: "DELETE",
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Renew the session
 */
export function refreshSession(renewal: Renewal, { xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Session;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 413;
        data: Error;
    } | {
        status: 415;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/api/v1/session/refresh", oazapfts.json({
        ...opts,
        method: "POST",
        body: renewal,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    }));
}
/**
 * List the user's sessions
 */
export function listOwnSessions({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Sessions;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/api/v1/user/sessions", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Log out everywhere
 */
export function deleteOwnSessions({ xRequestId, keepCurrent }: {
    xRequestId?: string;
    keepCurrent?: boolean;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 204;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/api/v1/user/sessions${QS.query(QS.explode({
        keep_current: keepCurrent
    }))}`, {
        ...opts,
        method: "DELETE",
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * End one of the user's sessions
 */
export function deleteOwnSession(sid: SessionId, { xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 204;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/api/v1/user/sessions/${encodeURIComponent(sid)}`, {
        ...opts,
        method: "DELETE",
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Authorize a request for a proxy
 */
export function authorizeRequest({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/api/v1/forward-auth", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Public keys of tokens
 */
export function getJwks({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: JwkSet;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    }>("/.well-known/jwks.json", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Metadata of the issuer
 */
export function getIssuer({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Issuer;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    }>("/.well-known/openid-configuration", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Liveness probe
 */
export function getLiveness({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Health;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    }>("/livez", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Readiness probe
 */
export function getReadiness({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Health;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/readyz", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * This contract as YAML
 */
export function getContractAsYaml({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Blob;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    }>("/openapi.yaml", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * This contract as JSON
 */
export function getContractAsJson({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Document;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    }>("/openapi.json", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Swagger UI
 */
export function getDocumentation({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: string;
    } | {
        status: 405;
        data: Error;
    } | {
        status: 500;
        data: Error;
    }>("/docs", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
