/**
 * Sessions API
 * 1.0.0
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
    /** The field's name as the request spells it. */
    field: string;
    message: string;
};
export type InvalidRequest = {
    /** What went wrong, for a person to read. */
    message: string;
    /** What is wrong with each field that is to blame. */
    errors?: FieldError[];
};
export type InvalidCredentials = {
    message: "Invalid credentials";
};
export type ErrorMessage = {
    /** What went wrong, for a person to read. */
    message: string;
};
export type Health = {
    status: "ok";
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
        data: InvalidRequest;
    } | {
        status: 401;
        data: InvalidCredentials;
    } | {
        status: 405;
        data: ErrorMessage;
    } | {
        status: 413;
        data: ErrorMessage;
    } | {
        status: 415;
        data: ErrorMessage;
    } | {
        status: 429;
        data: ErrorMessage;
    } | {
        status: 500;
        data: ErrorMessage;
    } | {
        status: 503;
        data: ErrorMessage;
    }>("/api/v1/sessions", oazapfts.form({
        ...opts,
        method: "POST",
        body: credentials,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    }));
}
/**
 * Does the process answer?
 */
export function getLiveness({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Health;
    } | {
        status: 405;
        data: ErrorMessage;
    } | {
        status: 500;
        data: ErrorMessage;
    }>("/livez", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
/**
 * Does the database answer too?
 */
export function getReadiness({ xRequestId }: {
    xRequestId?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Health;
    } | {
        status: 405;
        data: ErrorMessage;
    } | {
        status: 500;
        data: ErrorMessage;
    } | {
        status: 503;
        data: ErrorMessage;
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
        data: string;
    } | {
        status: 405;
        data: ErrorMessage;
    } | {
        status: 500;
        data: ErrorMessage;
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
        data: {
            [key: string]: any;
        };
    } | {
        status: 405;
        data: ErrorMessage;
    } | {
        status: 500;
        data: ErrorMessage;
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
        data: ErrorMessage;
    } | {
        status: 500;
        data: ErrorMessage;
    }>("/docs", {
        ...opts,
        headers: oazapfts.mergeHeaders(opts?.headers, {
            "X-Request-Id": xRequestId
        })
    });
}
