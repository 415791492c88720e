/** Made from openapi.yaml by `npm run sdk`. Do not edit. */
export interface components {
    schemas: {
        /**
         * @description Email of user. Case and surrounding space do not matter.
         * @example foo@bar.com
         */
        Email: string;
        /**
         * Format: password
         * @description Password of user. Any Unicode.
         * @example foobar
         */
        Password: string;
        Credentials: {
            email: components["schemas"]["Email"];
            password: components["schemas"]["Password"];
            /** @description Whether the reply has a refresh token, if renewal is on; true unless given. */
            remember?: boolean;
        };
        Session: {
            /** @description A JSON Web Token (RFC 7519) in compact form. */
            auth_token: string;
            /**
             * Format: int32
             * @description Seconds until the JSON Web Token expires. Only together with a refresh token.
             */
            expires_in?: number;
            /** @description For `refreshSession`. Opaque; a secret as a password is. */
            refresh_token?: string;
        };
        Renewal: {
            /** @description The refresh token of the last reply. */
            refresh_token: string;
        };
        /**
         * @description The session's id, as the token has it in `sid`.
         * @example 6d1fbcb8-4bd1-4d5c-a2b3-0a2d5d4a7c2e
         */
        SessionId: string;
        Sessions: {
            sessions: components["schemas"]["ListedSession"][];
        };
        ListedSession: {
            id: components["schemas"]["SessionId"];
            /** @description Whether it is the session of the token of this request. */
            current: boolean;
            /**
             * Format: date-time
             * @description When the user logged in.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description The last login or renewal.
             */
            last_used_at: string;
            /**
             * Format: date-time
             * @description When the session ends, unless it is renewed.
             */
            expires_at: string;
            /** @description The IP address of the login. */
            address: string;
            /** @description The beginning of the login's `User-Agent`. */
            user_agent?: string;
        };
        /**
         * @description The digest of a password, of any format that the service verifies, in place of `password`. A bcrypt digest is read
         *     with `BCRYPT_PEPPER`, if that is set.
         */
        PasswordDigest: string;
        /**
         * Format: int32
         * @description The user's id, as the token has it in `user_id`.
         * @example 1
         */
        UserId: number;
        User: {
            id: components["schemas"]["UserId"];
            /** @description In lower case, without surrounding space. */
            email: string;
            /**
             * Format: int32
             * @description Rises with each change, but not with a login.
             */
            version: number;
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @description The last change, other than a login.
             */
            updated_at: string;
            /**
             * Format: date-time
             * @description Since when the user is disabled. Only of disabled users.
             */
            disabled_at?: string;
            /**
             * Format: date-time
             * @description When the email was confirmed. Only if it is confirmed.
             */
            email_confirmed_at?: string;
            /**
             * Format: date-time
             * @description To the hour.
             */
            last_login_at?: string;
            /**
             * @description The format of the password's digest. Only if the user has a password.
             * @example argon2id
             */
            digest_format?: string;
            /**
             * Format: date-time
             * @description Until when logins of the email are refused from addresses that are not known for it. Only of `getUser`.
             */
            locked_until?: string;
        };
        Users: {
            users: components["schemas"]["User"][];
            /** @description The `after` of the next page. Only if there is one. */
            next?: string;
        };
        UserCreation: {
            email: components["schemas"]["Email"];
            password?: components["schemas"]["Password"];
            password_digest?: components["schemas"]["PasswordDigest"];
            id?: components["schemas"]["UserId"];
            /** @description Whether the user is disabled. */
            disabled?: boolean;
            /** @description Whether the application has confirmed the email. */
            email_confirmed?: boolean;
        };
        UserUpdate: {
            email?: components["schemas"]["Email"];
            password?: components["schemas"]["Password"];
            password_digest?: components["schemas"]["PasswordDigest"];
            /** @description Whether the user is disabled. */
            disabled?: boolean;
            /**
             * Format: int32
             * @description The version that is to be changed.
             */
            version?: number;
        };
        SessionCreation: {
            /** @description The IP address of the user, for the list of sessions. The caller's unless given. */
            client_address?: string;
            /** @description The `User-Agent` of the user, for the list of sessions. */
            user_agent?: string;
            /** @description Whether the reply has a refresh token, if renewal is on; true unless given. */
            remember?: boolean;
        };
        PasswordResetCreation: {
            /**
             * Format: int32
             * @description Seconds until the token expires; 3600 unless given.
             */
            expires_in?: number;
        };
        EmailConfirmationCreation: {
            email?: components["schemas"]["Email"];
            /**
             * Format: int32
             * @description Seconds until the token expires; 86400 unless given.
             */
            expires_in?: number;
        };
        OneTimeToken: {
            /** @description Opaque, for one use. A secret until then. */
            token: string;
            /** Format: date-time */
            expires_at: string;
        };
        PasswordChange: {
            current_password: components["schemas"]["Password"];
            password: components["schemas"]["Password"];
        };
        PasswordReset: {
            /** @description The one-time token. */
            token: string;
            password: components["schemas"]["Password"];
        };
        EmailConfirmation: {
            /** @description The one-time token. */
            token: string;
        };
        CurrentSession: {
            user_id: components["schemas"]["UserId"];
            /**
             * Format: int64
             * @description When the token expires, in seconds since the epoch.
             */
            exp: number;
            sid?: components["schemas"]["SessionId"];
        };
        /** @description A JWK Set (RFC 7517). */
        JwkSet: {
            keys: components["schemas"]["Jwk"][];
        };
        /** @description A public key (RFC 7517). Its further members depend on `kty` (RFC 7518, RFC 8037). */
        Jwk: {
            /**
             * @description The kind of key.
             * @example EC
             * @example OKP
             * @example RSA
             */
            kty: string;
            /**
             * @description The only algorithm that the key is for.
             * @example ES256
             * @example EdDSA
             * @example RS256
             */
            alg: string;
            /** @constant */
            use: "sig";
            /** @description The key's thumbprint (RFC 7638). */
            kid: string;
            /** @description The curve of an EC or OKP key. */
            crv?: string;
            /** @description The public key of an OKP key; the x coordinate of an EC key. */
            x?: string;
            /** @description The y coordinate of an EC key. */
            y?: string;
            /** @description The modulus of an RSA key. */
            n?: string;
            /** @description The exponent of an RSA key. */
            e?: string;
        };
        /** @description Provider metadata (OpenID Connect Discovery 1.0, section 3). */
        Issuer: {
            /**
             * Format: uri
             * @description The `iss` of tokens.
             */
            issuer: string;
            /**
             * Format: uri
             * @description Where the public keys are.
             */
            jwks_uri: string;
            /** @description The algorithms of tokens. */
            id_token_signing_alg_values_supported: string[];
            /** @description The user's id is the same for all. */
            subject_types_supported: string[];
            /** @description None, since this is no OpenID Connect provider. */
            response_types_supported: string[];
        };
        InvalidCredentials: {
            /** @constant */
            message: "Invalid credentials";
        };
        Error: {
            /** @description What went wrong, for a person to read. */
            message: string;
            /** @description What went wrong, for a program to read. The values are in the description of this document. */
            code?: string;
            /** @description The errors of the fields, if fields are invalid. */
            errors?: components["schemas"]["FieldError"][];
        };
        FieldError: {
            /** @description The field's name in the request. */
            field: string;
            /** @description What is wrong with the field, for a person to read. */
            message: string;
            /** @description What is wrong with the field, for a program to read. The values are in the description of this document. */
            code: string;
        };
        /** @description An OpenAPI document. */
        Document: {
            [key: string]: unknown;
        };
        Health: {
            /** @constant */
            status: "ok";
        };
    };
    responses: {
        /** @description The user's details are incorrect. */
        InvalidCredentials: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Invalid credentials"
                 *     }
                 */
                "application/json": components["schemas"]["InvalidCredentials"];
            };
        };
        /** @description The token is missing, malformed, from elsewhere or expired; or its session has ended, or its user is disabled or deleted. */
        Unauthorized: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Unauthorized",
                 *       "code": "unauthorized"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The session has ended, or the refresh token is not good. */
        SessionEnded: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The session has ended",
                 *       "code": "session_ended"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The user has no such session. */
        SessionNotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Session not found",
                 *       "code": "session_not_found"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The admin token is missing, or is none of the service's. */
        AdminUnauthorized: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Unauthorized",
                 *       "code": "unauthorized"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description There is no such user. */
        UserNotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "User not found",
                 *       "code": "user_not_found"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description There is no such user (`user_not_found`), or the user has no such session (`session_not_found`). */
        UserOrSessionNotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Session not found",
                 *       "code": "session_not_found"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description Another user has the email (`email_taken`), or the id (`id_taken`). Or no id is left (`no_id_left`). */
        UserTaken: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The email is taken",
                 *       "code": "email_taken",
                 *       "errors": [
                 *         {
                 *           "field": "email",
                 *           "message": "is taken",
                 *           "code": "taken"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description Another user has the email. */
        EmailTaken: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The email is taken",
                 *       "code": "email_taken",
                 *       "errors": [
                 *         {
                 *           "field": "email",
                 *           "message": "is taken",
                 *           "code": "taken"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description Another user has the email (`email_taken`), or the user has changed since the version that was given (`version_conflict`). */
        UserConflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The user has changed",
                 *       "code": "version_conflict"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The user is disabled. */
        UserDisabled: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The user is disabled",
                 *       "code": "user_disabled"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description Another user has the email (`email_taken`), or the user is disabled (`user_disabled`). */
        EmailTakenOrDisabled: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The email is taken",
                 *       "code": "email_taken",
                 *       "errors": [
                 *         {
                 *           "field": "email",
                 *           "message": "is taken",
                 *           "code": "taken"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The policy refuses the password. */
        WeakPassword: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The password is too weak",
                 *       "code": "weak_password",
                 *       "errors": [
                 *         {
                 *           "field": "password",
                 *           "message": "must have at least 8 characters",
                 *           "code": "password_too_short"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /**
         * @description The policy refuses the password (`weak_password`), or `password_digest` has no known format or comes with a `password`
         *     (`invalid_request`).
         */
        CredentialsRefused: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The password is too weak",
                 *       "code": "weak_password",
                 *       "errors": [
                 *         {
                 *           "field": "password",
                 *           "message": "must have at least 8 characters",
                 *           "code": "password_too_short"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description A field has a value that its schema can't refuse. */
        Unprocessable: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Invalid request",
                 *       "code": "invalid_request",
                 *       "errors": [
                 *         {
                 *           "field": "client_address",
                 *           "message": "must be an IP address",
                 *           "code": "malformed"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The current password is wrong. */
        WrongPassword: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The current password is wrong",
                 *       "code": "wrong_password",
                 *       "errors": [
                 *         {
                 *           "field": "current_password",
                 *           "message": "is wrong",
                 *           "code": "wrong"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The user has no password. */
        NoPassword: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The user has no password",
                 *       "code": "no_password"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The token is wrong, used, expired or void. */
        TokenRefused: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "The token is not good",
                 *       "code": "token_refused"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description There is nothing at this path. */
        NotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Not found",
                 *       "code": "not_found"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description A field is missing, empty, repeated, too long or malformed, or the body is malformed. */
        InvalidRequest: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Invalid request",
                 *       "code": "invalid_request",
                 *       "errors": [
                 *         {
                 *           "field": "email",
                 *           "message": "must look like an email address",
                 *           "code": "malformed"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The path does not have this method. */
        MethodNotAllowed: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Method not allowed",
                 *       "code": "method_not_allowed"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The body is too long. */
        ContentTooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Content too large",
                 *       "code": "content_too_large"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The content type or content encoding of the body is not listed here. */
        UnsupportedMediaType: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Unsupported media type",
                 *       "code": "unsupported_media_type"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description Too many failed logins of this email, or from this address. Unknown emails get it too. */
        TooManyRequests: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Too many requests",
                 *       "code": "too_many_requests"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The service has failed. Its log has the reason, under the request id. */
        InternalServerError: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Internal server error",
                 *       "code": "internal_server_error"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
        /** @description The database cannot be used, or the service is overloaded. For the readiness probe also: the service is stopping. */
        ServiceUnavailable: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "message": "Service unavailable",
                 *       "code": "service_unavailable"
                 *     }
                 */
                "application/json": components["schemas"]["Error"];
            };
        };
    };
    parameters: {
        /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
        RequestId: string;
    };
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export interface operations {
    createSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Credentials"];
                "application/x-www-form-urlencoded": components["schemas"]["Credentials"];
            };
        };
        responses: {
            /** @description The user's details are correct. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "auth_token": "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxLCJleHAiOjE1NzU0ODM4NTUsInNpZCI6IjZkMWZiY2I4LTRiZDEtNGQ1Yy1hMmIzLTBhMmQ1ZDRhN2MyZSJ9.UVnHLOjWK36KH5I3V2LicIb6EQkRUjQonVu4XtTBWPI"
                     *     }
                     */
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["InvalidCredentials"];
            405: components["responses"]["MethodNotAllowed"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    getSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The token is good. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "user_id": 1,
                     *       "exp": 1575483855,
                     *       "sid": "6d1fbcb8-4bd1-4d5c-a2b3-0a2d5d4a7c2e"
                     *     }
                     */
                    "application/json": components["schemas"]["CurrentSession"];
                };
            };
            401: components["responses"]["Unauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    deleteSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Unauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    refreshSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Renewal"];
                "application/x-www-form-urlencoded": components["schemas"]["Renewal"];
            };
        };
        responses: {
            /** @description The session is renewed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "auth_token": "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxLCJleHAiOjE1NzU0ODM4NTUsInNpZCI6IjZkMWZiY2I4LTRiZDEtNGQ1Yy1hMmIzLTBhMmQ1ZDRhN2MyZSJ9.UVnHLOjWK36KH5I3V2LicIb6EQkRUjQonVu4XtTBWPI",
                     *       "expires_in": 300,
                     *       "refresh_token": "rt_bR-8uEvRTVyiswotXUp8LgAAAAIS-iUxbpRdi_5mYdbazqbL6KFcUjEYo9wf_tOhyXMbgTfwIWVMnKDDW7ZpuCAUPPI"
                     *     }
                     */
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["SessionEnded"];
            404: components["responses"]["NotFound"];
            405: components["responses"]["MethodNotAllowed"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    listOwnSessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "sessions": [
                     *         {
                     *           "id": "6d1fbcb8-4bd1-4d5c-a2b3-0a2d5d4a7c2e",
                     *           "current": true,
                     *           "created_at": "2026-11-29T12:00:00.000Z",
                     *           "last_used_at": "2026-11-29T12:00:00.000Z",
                     *           "expires_at": "2026-12-29T12:00:00.000Z",
                     *           "address": "203.0.113.7",
                     *           "user_agent": "curl/8.15.0"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["Sessions"];
                };
            };
            401: components["responses"]["Unauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    deleteOwnSessions: {
        parameters: {
            query?: {
                /** @description Whether the session of the token goes on. */
                keep_current?: boolean;
            };
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions have ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    deleteOwnSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The session's id. */
                sid: components["schemas"]["SessionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["SessionNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    getOwnUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "email": "foo@bar.com",
                     *       "version": 1,
                     *       "created_at": "2026-11-29T12:00:00.000Z",
                     *       "updated_at": "2026-11-29T12:00:00.000Z",
                     *       "email_confirmed_at": "2026-11-29T12:05:00.000Z",
                     *       "last_login_at": "2026-11-29T12:10:00.000Z",
                     *       "digest_format": "argon2id"
                     *     }
                     */
                    "application/json": components["schemas"]["User"];
                };
            };
            401: components["responses"]["Unauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    changePassword: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description The password is changed; the reply is the new session. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "auth_token": "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxLCJleHAiOjE1NzU0ODM4NTUsInNpZCI6IjZkMWZiY2I4LTRiZDEtNGQ1Yy1hMmIzLTBhMmQ1ZDRhN2MyZSJ9.UVnHLOjWK36KH5I3V2LicIb6EQkRUjQonVu4XtTBWPI"
                     *     }
                     */
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["WrongPassword"];
            405: components["responses"]["MethodNotAllowed"];
            409: components["responses"]["NoPassword"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["WeakPassword"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    resetPassword: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordReset"];
            };
        };
        responses: {
            /** @description The password is set. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            403: components["responses"]["TokenRefused"];
            405: components["responses"]["MethodNotAllowed"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["WeakPassword"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    confirmEmail: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailConfirmation"];
            };
        };
        responses: {
            /** @description The email is confirmed. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            403: components["responses"]["TokenRefused"];
            405: components["responses"]["MethodNotAllowed"];
            409: components["responses"]["EmailTaken"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    listUsers: {
        parameters: {
            query?: {
                /** @description Only the user with this email. */
                email?: components["schemas"]["Email"];
                /** @description Only users whose email begins with this. */
                email_prefix?: string;
                /** @description Only disabled users, or only others. */
                disabled?: boolean;
                /** @description The `next` of the page before. */
                after?: string;
                /** @description How many users to return at most. */
                limit?: number;
            };
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The users. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "users": [
                     *         {
                     *           "id": 1,
                     *           "email": "foo@bar.com",
                     *           "version": 1,
                     *           "created_at": "2026-11-29T12:00:00.000Z",
                     *           "updated_at": "2026-11-29T12:00:00.000Z",
                     *           "email_confirmed_at": "2026-11-29T12:05:00.000Z",
                     *           "last_login_at": "2026-11-29T12:10:00.000Z",
                     *           "digest_format": "argon2id"
                     *         }
                     *       ],
                     *       "next": "1"
                     *     }
                     */
                    "application/json": components["schemas"]["Users"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            422: components["responses"]["Unprocessable"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    createUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserCreation"];
            };
        };
        responses: {
            /** @description The user is created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "email": "foo@bar.com",
                     *       "version": 1,
                     *       "created_at": "2026-11-29T12:00:00.000Z",
                     *       "updated_at": "2026-11-29T12:00:00.000Z",
                     *       "email_confirmed_at": "2026-11-29T12:05:00.000Z",
                     *       "last_login_at": "2026-11-29T12:10:00.000Z",
                     *       "digest_format": "argon2id"
                     *     }
                     */
                    "application/json": components["schemas"]["User"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            409: components["responses"]["UserTaken"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["CredentialsRefused"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "email": "foo@bar.com",
                     *       "version": 1,
                     *       "created_at": "2026-11-29T12:00:00.000Z",
                     *       "updated_at": "2026-11-29T12:00:00.000Z",
                     *       "email_confirmed_at": "2026-11-29T12:05:00.000Z",
                     *       "last_login_at": "2026-11-29T12:10:00.000Z",
                     *       "digest_format": "argon2id"
                     *     }
                     */
                    "application/json": components["schemas"]["User"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    deleteUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user is deleted. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    updateUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserUpdate"];
            };
        };
        responses: {
            /** @description The user, as changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": 1,
                     *       "email": "bar@bar.com",
                     *       "version": 2,
                     *       "created_at": "2026-11-29T12:00:00.000Z",
                     *       "updated_at": "2026-11-29T12:00:00.000Z",
                     *       "last_login_at": "2026-11-29T12:10:00.000Z",
                     *       "digest_format": "argon2id"
                     *     }
                     */
                    "application/json": components["schemas"]["User"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            409: components["responses"]["UserConflict"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["CredentialsRefused"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    deleteUserLockout: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The failed logins of the user are forgiven. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    listUserSessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "sessions": [
                     *         {
                     *           "id": "6d1fbcb8-4bd1-4d5c-a2b3-0a2d5d4a7c2e",
                     *           "current": false,
                     *           "created_at": "2026-11-29T12:00:00.000Z",
                     *           "last_used_at": "2026-11-29T12:00:00.000Z",
                     *           "expires_at": "2026-12-29T12:00:00.000Z",
                     *           "address": "203.0.113.7",
                     *           "user_agent": "curl/8.15.0"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["Sessions"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    createUserSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SessionCreation"];
            };
        };
        responses: {
            /** @description The session has started. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "auth_token": "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxLCJleHAiOjE1NzU0ODM4NTUsInNpZCI6IjZkMWZiY2I4LTRiZDEtNGQ1Yy1hMmIzLTBhMmQ1ZDRhN2MyZSJ9.UVnHLOjWK36KH5I3V2LicIb6EQkRUjQonVu4XtTBWPI"
                     *     }
                     */
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            409: components["responses"]["UserDisabled"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["Unprocessable"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    deleteUserSessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions have ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    deleteUserSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
                /** @description The session's id. */
                sid: components["schemas"]["SessionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserOrSessionNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    createPasswordReset: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PasswordResetCreation"];
            };
        };
        responses: {
            /** @description The token. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "token": "pr_4bR-8uEvRTVyiswotXUp8Lh3m0nGWcZ5sYc2tM1oKQk",
                     *       "expires_at": "2026-11-29T13:00:00.000Z"
                     *     }
                     */
                    "application/json": components["schemas"]["OneTimeToken"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            409: components["responses"]["UserDisabled"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    createEmailConfirmation: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /** @description The user's id. */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["EmailConfirmationCreation"];
            };
        };
        responses: {
            /** @description The token. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "token": "ec_4bR-8uEvRTVyiswotXUp8Lh3m0nGWcZ5sYc2tM1oKQk",
                     *       "expires_at": "2026-11-30T12:00:00.000Z"
                     *     }
                     */
                    "application/json": components["schemas"]["OneTimeToken"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["AdminUnauthorized"];
            404: components["responses"]["UserNotFound"];
            405: components["responses"]["MethodNotAllowed"];
            409: components["responses"]["EmailTakenOrDisabled"];
            413: components["responses"]["ContentTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    authorizeRequest: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The token is good. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Unauthorized"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    getJwks: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The keys. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "keys": [
                     *         {
                     *           "kty": "OKP",
                     *           "crv": "Ed25519",
                     *           "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                     *           "alg": "EdDSA",
                     *           "use": "sig",
                     *           "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["JwkSet"];
                };
            };
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
        };
    };
    getIssuer: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The metadata. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "issuer": "https://login.example.com",
                     *       "jwks_uri": "https://login.example.com/.well-known/jwks.json",
                     *       "id_token_signing_alg_values_supported": [
                     *         "ES256"
                     *       ],
                     *       "subject_types_supported": [
                     *         "public"
                     *       ],
                     *       "response_types_supported": []
                     *     }
                     */
                    "application/json": components["schemas"]["Issuer"];
                };
            };
            404: components["responses"]["NotFound"];
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
        };
    };
    getLiveness: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ok"
                     *     }
                     */
                    "application/json": components["schemas"]["Health"];
                };
            };
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ok"
                     *     }
                     */
                    "application/json": components["schemas"]["Health"];
                };
            };
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
            503: components["responses"]["ServiceUnavailable"];
        };
    };
    getContractAsYaml: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description This document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/yaml": unknown;
                };
            };
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
        };
    };
    getContractAsJson: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description This document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "openapi": "3.1.0",
                     *       "info": {
                     *         "title": "Sessions API"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Document"];
                };
            };
            405: components["responses"]["MethodNotAllowed"];
            500: components["responses"]["InternalServerError"];
        };
    };
    getDocumentation: {
        parameters: {
            query?: never;
            header?: {
                /** @description The caller's id for this request. Letters, digits, `-` and `_` are kept, at most 255. */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /** @example <!DOCTYPE html><html lang="en">…</html> */
                    "text/html": string;
                };
            };
            405: components["responses"]["MethodNotAllowed"];
            /** @description The service has failed. Its log has the reason, under the request id. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "message": "Internal server error",
                     *       "code": "internal_server_error"
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
}

export const publicRoutes = {
  /** Log in with email and password */
  createSession: 'POST /api/v1/sessions',
  /** Renew the session */
  refreshSession: 'POST /api/v1/session/refresh',
  /** Set a new password with a one-time token */
  resetPassword: 'POST /api/v1/user/password/reset',
  /** Confirm an email with a one-time token */
  confirmEmail: 'POST /api/v1/user/email/confirm',
  /** Public keys of tokens */
  getJwks: 'GET /.well-known/jwks.json',
  /** Metadata of the issuer */
  getIssuer: 'GET /.well-known/openid-configuration',
  /** Liveness probe */
  getLiveness: 'GET /livez',
  /** Readiness probe */
  getReadiness: 'GET /readyz',
  /** This contract as YAML */
  getContractAsYaml: 'GET /openapi.yaml application/yaml',
  /** This contract as JSON */
  getContractAsJson: 'GET /openapi.json',
  /** Swagger UI */
  getDocumentation: 'GET /docs text/html',
};

export const userRoutes = {
  /** Show the session of a token */
  getSession: 'GET /api/v1/session',
  /** Log out */
  deleteSession: 'DELETE /api/v1/session',
  /** List the user's sessions */
  listOwnSessions: 'GET /api/v1/user/sessions',
  /** Log out everywhere */
  deleteOwnSessions: 'DELETE /api/v1/user/sessions',
  /** End one of the user's sessions */
  deleteOwnSession: 'DELETE /api/v1/user/sessions/{sid}',
  /** Show the user of a token */
  getOwnUser: 'GET /api/v1/user',
  /** Change the own password */
  changePassword: 'POST /api/v1/user/password',
  /** Authorize a request for a proxy */
  authorizeRequest: 'GET /api/v1/forward-auth',
};

export const adminRoutes = {
  /** List users */
  listUsers: 'GET /api/v1/users',
  /** Create a user */
  createUser: 'POST /api/v1/users',
  /** Show a user */
  getUser: 'GET /api/v1/users/{id}',
  /** Delete a user */
  deleteUser: 'DELETE /api/v1/users/{id}',
  /** Change a user */
  updateUser: 'PATCH /api/v1/users/{id}',
  /** Lift a lockout */
  deleteUserLockout: 'DELETE /api/v1/users/{id}/lockout',
  /** List the sessions of a user */
  listUserSessions: 'GET /api/v1/users/{id}/sessions',
  /** Start a session for a user */
  createUserSession: 'POST /api/v1/users/{id}/sessions',
  /** End all sessions of a user */
  deleteUserSessions: 'DELETE /api/v1/users/{id}/sessions',
  /** End a session of a user */
  deleteUserSession: 'DELETE /api/v1/users/{id}/sessions/{sid}',
  /** Make a token to reset a password */
  createPasswordReset: 'POST /api/v1/users/{id}/password-resets',
  /** Make a token to confirm an email */
  createEmailConfirmation: 'POST /api/v1/users/{id}/email-confirmations',
};
