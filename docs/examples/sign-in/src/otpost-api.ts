// Made from docs/openapi.json by `npm run types`.

export interface paths {
    "/v1/challenges": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends a code to somebody, to be asked of them. */
        post: operations["startChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/challenges/{challenge}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tells how far a challenge is; to keys marked after_first_factor also where its message is. */
        get: operations["getChallenge"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/challenges/{challenge}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Checks a code that was sent; a right one is accepted once. */
        post: operations["checkChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/challenges/{challenge}/resend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends the same code once more. */
        post: operations["resendChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/challenges/{challenge}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Gives a challenge up: its code is accepted no more. */
        post: operations["cancelChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A code to be sent to somebody. */
        CodeToSend: {
            /**
             * @description Instead of the user, an address that is no user's yet; for the purpose `enrolment` only.
             * @default null
             */
            address?: components["schemas"]["BareAddress"] | null;
            /** @description By which channel the code goes, and no other: email or sms. By policy unless given. */
            channel?: string | null;
            /**
             * @description What the code is to be good for: `sign_in`, `enrolment`, `password_reset` or `transaction`. It is good for nothing
             *     else.
             */
            purpose: string;
            /**
             * @description The device id that an earlier success issued to the device on which the code will be typed. A device with one has a
             *     code and a budget of wrong codes of its own, so that strangers cannot keep its user out. What was never issued is
             *     a stranger's.
             */
            source?: string | null;
            /**
             * @description What the code confirms, as the message shows it: 1 to 140 characters on one line. It must be given for the purpose
             *     `transaction`, and for no other.
             */
            transaction?: string | null;
            /** @description Of which user the code is asked. Whether there is such a user is not told. */
            user?: string | null;
        };
        /** @description An address: an e-mail address or a telephone number. */
        BareAddress: {
            /** @description An e-mail address. */
            email?: string | null;
            /** @description A telephone number in international form. */
            phone?: string | null;
        };
        /** @description A code that was asked for. It looks the same for users who do not exist or cannot be written to. */
        Challenge: {
            /**
             * @description By which channel the code goes at first: email or sms. To keys that are not marked `after_first_factor` this is made
             *     up, the same for users who exist and for names that nobody has, and is not to be shown to anybody.
             */
            channel: string;
            /**
             * Format: uint8
             * @description How many digits the code has.
             */
            digits: number;
            /** @description From when on the code is good no more (RFC 3339). */
            expires_at: string;
            /**
             * Format: uint64
             * @description The same in seconds from this answer; from the first one where it is repeated.
             */
            expires_in_seconds: number;
            /**
             * @description The challenge's id, at most 600 characters. Whoever has it may guess: keep it in the session of whoever is to type
             *     the code, and out of logs and links.
             */
            id: string;
            /** @description What the code is for. */
            purpose: string;
            /**
             * @description To whom it goes on that channel, masked. To keys that are not marked `after_first_factor` this is made up, the same
             *     for users who exist and for names that nobody has, and is not to be shown to anybody.
             */
            recipient: string;
            /** @description From when on the code may be sent again (RFC 3339). */
            resend_at: string;
            /**
             * Format: uint64
             * @description The same in seconds from this answer.
             */
            resend_in_seconds: number;
        };
        /** @description A problem document (RFC 9457). */
        Problem: {
            /** @description About this occurrence. */
            detail: string;
            /** @description All that is wrong with the document, each fault at its place. */
            errors?: components["schemas"]["DocumentFault"][];
            /** @description The field of the request that it is about. */
            field?: string | null;
            /** @description This occurrence's id, to be found in the log. */
            instance: string;
            /**
             * Format: uint16
             * @description The HTTP status code.
             */
            status: number;
            /** @description The same for every problem of this kind. */
            title: string;
            /** @description Kind of the problem: `urn:otpost:problem:` and one of the names in docs/problems. */
            type: string;
        };
        /** @description One thing that is wrong with a document. */
        DocumentFault: {
            /**
             * Format: uint
             * @description The column in characters, from 1.
             */
            column?: number | null;
            /** @description What must hold there. */
            detail: string;
            /**
             * Format: uint
             * @description The line, where it is in a text that was looked at closely; from 1.
             */
            line?: number | null;
            /** @description Where: a JSON Pointer (RFC 6901) into the body; empty for all of it. */
            pointer: string;
        };
        /** @description How far a challenge is. */
        ChallengeStanding: {
            /** @description From when on the code is good no more (RFC 3339). */
            expires_at: string;
            /**
             * Format: uint64
             * @description The same in seconds from this answer; 0 when it has passed.
             */
            expires_in_seconds: number;
            /**
             * @description Where the last message with the code is. Told to keys that are marked `after_first_factor` only, and left out when
             *     the challenge gave way to another.
             */
            message?: components["schemas"]["MessageStatus"] | null;
            /** @description What the code is for. */
            purpose: string;
            /** @description From when on the code may be sent again (RFC 3339). */
            resend_at: string;
            /**
             * Format: uint64
             * @description The same in seconds from this answer; 0 when it has passed.
             */
            resend_in_seconds: number;
            /**
             * @description What its code may still do: `open` (it can be accepted), `accepted`, `exhausted` (it takes no more codes) or `over`
             *     (it has expired, was given up, or gave way to another).
             */
            standing: string;
        };
        /** @description Where a message is, for the person who waits for it. No gateway is named, and no provider. */
        MessageStatus: {
            /** @description What the person may do: wait, look, `ask_again` or `ask_helpdesk`. */
            advice: string;
            /** @description By which channel it was sent, or is being sent: email or sms. */
            channel: string;
            /** @description The next try, if one is certain unless there is good news before. */
            next?: components["schemas"]["NextTry"] | null;
            /** @description The recipient on that channel, masked. */
            recipient: string;
            /**
             * Format: uint64
             * @description How long it has been there, in seconds.
             */
            seconds_since: number;
            /**
             * @description `on_its_way`, `sent`, `delivered`, `trying_next` (one way did not bring it in time, it takes another),
             *     `delayed` (nothing is under way just now), `not_delivered` or `ended` (it is no longer good).
             */
            status: string;
            /** @description The same for the person, in short sentences, with what they may do. */
            text: string;
        };
        /** @description The next try. */
        NextTry: {
            /** @description By which channel, where that is certain: email or sms. */
            channel?: string | null;
            /**
             * Format: uint64
             * @description In how many seconds.
             */
            in_seconds: number;
        };
        /** @description A code that was typed. */
        TypedCode: {
            /** @description The code, 6 to 10 digits; blanks are passed over. */
            code: string;
            /**
             * @description What you let it be good for. A code that was sent for something else is wrong: say what your page does, not what
             *     the browser says.
             */
            purpose: string;
            /**
             * @description Whether to issue a (new) device id if the code is right. Keep it on the user's device, e.g. in a cookie.
             * @default false
             */
            remember_source?: boolean;
            /** @description What the code is to confirm, as it was when the challenge was started, to the letter; for the purpose `transaction`. */
            transaction?: string | null;
        };
        /** @description The code was accepted; it will not be again. */
        ChallengeAccepted: {
            /** @description Instead of the user, the address that whoever typed the code can read. */
            address?: components["schemas"]["BareAddress"] | null;
            /**
             * @description Whether policy lets the code count as authentication. By e-mail it does not, unless `email_codes_authenticate` says
             *     so (NIST SP 800-63B-4 section 3.1.3.1); then it shows no more than that somebody reads the address.
             */
            authenticates: boolean;
            /** @description `accepted`. */
            result: string;
            /** @description The device id, if one was to be issued. */
            source?: string | null;
            /** @description The user whose code it was. */
            user?: string | null;
        };
        /** @description How the code is sent once more. */
        Resend: {
            /** @description By which channel this time, and no other: email or sms. By policy unless given. */
            channel?: string | null;
        };
    };
    responses: {
        /** @description A problem document */
        Problem: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    startChallenge: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 128 visible ASCII characters. For 24 hours the same request with the same key gets the same answer. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CodeToSend"];
            };
        };
        responses: {
            /** @description A code is on its way, if there is anybody to send it to. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Challenge"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            413: components["responses"]["Problem"];
            415: components["responses"]["Problem"];
            422: components["responses"]["Problem"];
            429: components["responses"]["Problem"];
            500: components["responses"]["Problem"];
            503: components["responses"]["Problem"];
        };
    };
    getChallenge: {
        parameters: {
            query?: {
                /** @description The language of the message's text (BCP 47): German for de and its kin, English for every other and without it. */
                locale?: string;
            };
            header?: never;
            path: {
                challenge: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How far the challenge is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChallengeStanding"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            500: components["responses"]["Problem"];
            503: components["responses"]["Problem"];
        };
    };
    checkChallenge: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 128 visible ASCII characters, new for each code. The same request with the same key gets the same answer and counts once, if no other code was tried since and the challenge has not expired. */
                "Idempotency-Key"?: string;
            };
            path: {
                challenge: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TypedCode"];
            };
        };
        responses: {
            /** @description The code was right. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChallengeAccepted"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            413: components["responses"]["Problem"];
            415: components["responses"]["Problem"];
            422: components["responses"]["Problem"];
            429: components["responses"]["Problem"];
            500: components["responses"]["Problem"];
            503: components["responses"]["Problem"];
        };
    };
    resendChallenge: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 128 visible ASCII characters. For 24 hours the same request with the same key gets the same answer. */
                "Idempotency-Key"?: string;
            };
            path: {
                challenge: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Resend"];
            };
        };
        responses: {
            /** @description The code is on its way once more. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Challenge"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            413: components["responses"]["Problem"];
            415: components["responses"]["Problem"];
            422: components["responses"]["Problem"];
            429: components["responses"]["Problem"];
            500: components["responses"]["Problem"];
            503: components["responses"]["Problem"];
        };
    };
    cancelChallenge: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                challenge: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The code is accepted no more. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            500: components["responses"]["Problem"];
            503: components["responses"]["Problem"];
        };
    };
}
