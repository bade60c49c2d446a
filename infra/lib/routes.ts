import { HttpMethod } from "aws-cdk-lib/aws-apigatewayv2";
import type { Binary } from "./otp-function.ts";
import type { Throttle } from "./settings.ts";

/** A route, the function behind it, and how much of it the whole deployment takes. */
export interface Route {
  readonly method: HttpMethod;
  readonly path: string;
  readonly function: Binary;
  readonly throttle: Throttle;
}

/** For a route that names no throttle of its own; API Gateway needs one for the stage. */
export const DEFAULT_THROTTLE: Throttle = { rateLimit: 50, burstLimit: 100 };

const LOGIN: Throttle = { rateLimit: 500, burstLimit: 1000 };
const PUBLIC: Throttle = { rateLimit: 50, burstLimit: 100 };
/** Providers call back in bursts behind a bulk of messages, and not all of them call again when they are refused. */
const RECEIPTS: Throttle = { rateLimit: 500, burstLimit: 1000 };
const SEND: Throttle = { rateLimit: 50, burstLimit: 100 };
const MANAGE: Throttle = { rateLimit: 100, burstLimit: 200 };
const RARE: Throttle = { rateLimit: 5, burstLimit: 10 };

const { DELETE, GET, HEAD, PATCH, POST, PUT } = HttpMethod;

/** Every route of the API. A path that is missing here answers 404 before any function runs. */
export const ROUTES: readonly Route[] = [
  route(POST, "/v1/tenants", "admin", RARE),
  route(GET, "/v1/tenants", "admin", RARE),
  route(GET, "/v1/tenants/{tenant}", "admin", RARE),
  route(POST, "/v1/tenants/{tenant}/rotate", "admin", RARE),
  route(DELETE, "/v1/tenants/{tenant}", "admin", RARE),
  route(POST, "/v1/keys", "admin", RARE),
  route(GET, "/v1/keys", "admin", RARE),
  route(POST, "/v1/keys/{key}/rotate", "admin", RARE),
  route(DELETE, "/v1/keys/{key}", "admin", RARE),
  route(PUT, "/v1/policies/{policy}", "admin", RARE),
  route(GET, "/v1/policies", "admin", RARE),
  route(GET, "/v1/policies/{policy}", "admin", RARE),
  route(DELETE, "/v1/policies/{policy}", "admin", RARE),
  route(POST, "/v1/policies/{policy}/preview", "admin", RARE),
  route(PUT, "/v1/gateways/{gateway}", "admin", RARE),
  route(GET, "/v1/gateways", "admin", RARE),
  route(GET, "/v1/gateways/{gateway}", "admin", RARE),
  route(DELETE, "/v1/gateways/{gateway}", "admin", RARE),
  route(POST, "/v1/gateways/{gateway}/validate", "admin", RARE),
  route(POST, "/v1/gateways/{gateway}/test", "admin", RARE),
  route(GET, "/v1/templates", "admin", RARE),
  route(GET, "/v1/templates/{template}", "admin", RARE),
  route(PUT, "/v1/templates/{template}", "admin", RARE),
  route(DELETE, "/v1/templates/{template}", "admin", RARE),
  route(GET, "/v1/templates/{template}/versions", "admin", RARE),
  route(GET, "/v1/templates/{template}/versions/{version}", "admin", RARE),
  route(POST, "/v1/templates/{template}/rollback", "admin", RARE),
  route(POST, "/v1/templates/{template}/preview", "admin", RARE),
  route(POST, "/v1/templates/{template}/test", "admin", RARE),
  route(GET, "/v1/configuration", "admin", RARE),
  route(POST, "/v1/configuration", "admin", RARE),
  route(GET, "/v1/brand", "admin", RARE),
  route(PUT, "/v1/brand", "admin", RARE),
  route(GET, "/v1/users/{user}/explain", "admin", MANAGE),
  route(GET, "/v1/jobs", "admin", RARE),
  route(GET, "/v1/jobs/{job}", "admin", RARE),
  route(GET, "/v1/mass-changes", "admin", RARE),
  route(POST, "/v1/mass-changes/release", "admin", RARE),
  route(POST, "/v1/directories", "admin", RARE),
  route(GET, "/v1/directories", "admin", RARE),
  route(GET, "/v1/directories/{directory}", "admin", RARE),
  route(DELETE, "/v1/directories/{directory}", "admin", RARE),
  route(GET, "/v1/messages", "admin", MANAGE),
  route(GET, "/v1/messages/{message}", "admin", MANAGE),
  route(GET, "/v1/suppressions", "admin", MANAGE),
  route(DELETE, "/v1/suppressions/{suppression}", "admin", MANAGE),

  route(POST, "/v1/users", "push-token", MANAGE),
  route(GET, "/v1/users", "push-token", MANAGE),
  route(GET, "/v1/users/{user}", "push-token", MANAGE),
  route(PATCH, "/v1/users/{user}", "push-token", MANAGE),
  route(DELETE, "/v1/users/{user}", "push-token", MANAGE),
  route(POST, "/v1/tokens/{serial}/push", "push-token", SEND),

  route(POST, "/v1/users/{user}/tokens", "enroll", MANAGE),
  route(GET, "/v1/users/{user}/tokens", "enroll", MANAGE),
  route(GET, "/v1/tokens/{serial}", "enroll", MANAGE),
  route(POST, "/v1/tokens/{serial}/suspend", "enroll", MANAGE),
  route(POST, "/v1/tokens/{serial}/resume", "enroll", MANAGE),
  route(POST, "/v1/tokens/{serial}/revoke", "enroll", MANAGE),
  route(PATCH, "/v1/tokens/{serial}/device", "enroll", PUBLIC),
  route(GET, "/e/{code}", "enroll", PUBLIC),
  route(HEAD, "/e/{code}", "enroll", PUBLIC),
  route(POST, "/e/{code}", "enroll", PUBLIC),
  route(POST, "/v1/activations/{code}", "enroll", PUBLIC),

  route(POST, "/receipts/twilio/{tenant}/{message}/{hop}/{key}", "receipts", RECEIPTS),
  route(POST, "/receipts/notify/{owner}/{gateway}", "receipts", RECEIPTS),

  route(POST, "/v1/verify", "verify", LOGIN),
  route(POST, "/v1/challenges", "verify", SEND),
  route(GET, "/v1/challenges/{challenge}", "verify", LOGIN),
  route(POST, "/v1/challenges/{challenge}/check", "verify", LOGIN),
  route(POST, "/v1/challenges/{challenge}/resend", "verify", SEND),
  route(POST, "/v1/challenges/{challenge}/cancel", "verify", LOGIN),
  route(GET, "/v1/challenges/{challenge}/code", "verify", MANAGE),
  route(GET, "/v1/messages/{message}/status", "verify", LOGIN),
  route(POST, "/v1/tokens/{serial}/resync", "verify", MANAGE),
  route(POST, "/v1/tokens/{serial}/unlock", "verify", MANAGE),
  route(POST, "/v1/users/{user}/unlock", "verify", MANAGE),
  route(POST, "/v1/helpdesk/codes", "verify", SEND),
  route(POST, "/v1/helpdesk/codes/{code}/check", "verify", LOGIN),
  route(POST, "/v1/helpdesk/codes/{code}/password", "verify", SEND),
];

/** How API Gateway names a route, e.g. `GET /e/{code}`. */
export function routeKey({ method, path }: Route): string {
  return `${method} ${path}`;
}

function route(method: HttpMethod, path: string, binary: Binary, throttle: Throttle): Route {
  return { method, path, function: binary, throttle };
}
