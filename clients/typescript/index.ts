/**
 * Sessions API
 * 1.0.1
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
};
export type Session = {
    /** A JSON Web Token (RFC 7519) in compact form, signed with HS256. */
    auth_token: string;
};
export type FieldError = {
    /** The field's name in the request. */
    field: string;
    message: string;
};
export type Error = {
    /** What went wrong, for a person to read. */
    message: string;
    /** The errors of the fields, if fields are invalid. */
    errors?: FieldError[];
};
export type InvalidCredentials = {
    message: "Invalid credentials";
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
