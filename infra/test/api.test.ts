import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Binary } from "../lib/otp-function.ts";
import { deploy, functionOf, resources, target } from "./support.ts";

/** Written out a second time on purpose: a route that moves must be moved here too. */
const EXPECTED: Record<string, Binary> = {
  "POST /v1/tenants": "admin",
  "GET /v1/tenants": "admin",
  "GET /v1/tenants/{tenant}": "admin",
  "POST /v1/tenants/{tenant}/rotate": "admin",
  "DELETE /v1/tenants/{tenant}": "admin",
  "POST /v1/keys": "admin",
  "POST /v1/keys/{key}/rotate": "admin",
  "GET /v1/keys": "admin",
  "DELETE /v1/keys/{key}": "admin",
  "PUT /v1/policies/{policy}": "admin",
  "GET /v1/policies": "admin",
  "GET /v1/policies/{policy}": "admin",
  "DELETE /v1/policies/{policy}": "admin",
  "POST /v1/policies/{policy}/preview": "admin",
  "PUT /v1/gateways/{gateway}": "admin",
  "GET /v1/gateways": "admin",
  "GET /v1/gateways/{gateway}": "admin",
  "DELETE /v1/gateways/{gateway}": "admin",
  "POST /v1/gateways/{gateway}/validate": "admin",
  "POST /v1/gateways/{gateway}/test": "admin",
  "GET /v1/templates": "admin",
  "GET /v1/templates/{template}": "admin",
  "PUT /v1/templates/{template}": "admin",
  "DELETE /v1/templates/{template}": "admin",
  "GET /v1/templates/{template}/versions": "admin",
  "GET /v1/templates/{template}/versions/{version}": "admin",
  "POST /v1/templates/{template}/rollback": "admin",
  "POST /v1/templates/{template}/preview": "admin",
  "POST /v1/templates/{template}/test": "admin",
  "GET /v1/configuration": "admin",
  "POST /v1/configuration": "admin",
  "GET /v1/brand": "admin",
  "PUT /v1/brand": "admin",
  "GET /v1/users/{user}/explain": "admin",
  "GET /v1/jobs": "admin",
  "GET /v1/jobs/{job}": "admin",
  "GET /v1/mass-changes": "admin",
  "POST /v1/mass-changes/release": "admin",
  "POST /v1/directories": "admin",
  "GET /v1/directories": "admin",
  "GET /v1/directories/{directory}": "admin",
  "DELETE /v1/directories/{directory}": "admin",
  "GET /v1/messages": "admin",
  "GET /v1/messages/{message}": "admin",
  "GET /v1/suppressions": "admin",
  "DELETE /v1/suppressions/{suppression}": "admin",
  "POST /v1/users": "push-token",
  "GET /v1/users": "push-token",
  "GET /v1/users/{user}": "push-token",
  "PATCH /v1/users/{user}": "push-token",
  "DELETE /v1/users/{user}": "push-token",
  "POST /v1/tokens/{serial}/push": "push-token",
  "POST /v1/users/{user}/tokens": "enroll",
  "GET /v1/users/{user}/tokens": "enroll",
  "GET /v1/tokens/{serial}": "enroll",
  "POST /v1/tokens/{serial}/suspend": "enroll",
  "POST /v1/tokens/{serial}/resume": "enroll",
  "POST /v1/tokens/{serial}/revoke": "enroll",
  "PATCH /v1/tokens/{serial}/device": "enroll",
  "GET /e/{code}": "enroll",
  "HEAD /e/{code}": "enroll",
  "POST /e/{code}": "enroll",
  "POST /v1/activations/{code}": "enroll",
  "POST /receipts/twilio/{tenant}/{message}/{hop}/{key}": "receipts",
  "POST /receipts/notify/{owner}/{gateway}": "receipts",
  "POST /v1/verify": "verify",
  "POST /v1/challenges": "verify",
  "GET /v1/challenges/{challenge}": "verify",
  "POST /v1/challenges/{challenge}/check": "verify",
  "POST /v1/challenges/{challenge}/resend": "verify",
  "POST /v1/challenges/{challenge}/cancel": "verify",
  "GET /v1/messages/{message}/status": "verify",
  "POST /v1/tokens/{serial}/resync": "verify",
  "POST /v1/tokens/{serial}/unlock": "verify",
  "POST /v1/users/{user}/unlock": "verify",
  "POST /v1/helpdesk/codes": "verify",
  "POST /v1/helpdesk/codes/{code}/check": "verify",
  "POST /v1/helpdesk/codes/{code}/password": "verify",
  "GET /v1/challenges/{challenge}/code": "verify",
};

describe("API", () => {
  const { service } = deploy();
  const routes = resources(service, "AWS::ApiGatewayV2::Route");
  const integrations = new Map(resources(service, "AWS::ApiGatewayV2::Integration"));
  const [stageEntry] = resources(service, "AWS::ApiGatewayV2::Stage");
  assert.ok(stageEntry);
  const stage = stageEntry[1];

  test("each route goes to its function, and there is no other", () => {
    const functions = new Map(
      [...new Set(Object.values(EXPECTED))].map((binary) => [functionOf(service, binary)[0], binary]),
    );
    const actual = routes.map(([, { Properties }]) => {
      const integration = integrations.get(Properties["Target"]["Fn::Join"][1][1].Ref);
      return [Properties["RouteKey"], functions.get(target(integration?.Properties["IntegrationUri"]))];
    });
    assert.deepEqual(Object.fromEntries(actual), EXPECTED);
  });

  test("integrations speak payload 2.0", () => {
    for (const [id, { Properties }] of integrations) {
      assert.equal(Properties["PayloadFormatVersion"], "2.0", id);
      assert.equal(Properties["IntegrationType"], "AWS_PROXY", id);
    }
  });

  test("the API may call its five functions, a rule one of them, and no caller else may", () => {
    const permissions = resources(service, "AWS::Lambda::Permission");
    const called: string[] = [];
    for (const [id, { Properties }] of permissions) {
      const caller = Properties["Principal"] as string;
      const source = caller === "events.amazonaws.com" ? /^\{"Fn::GetAtt":\["ReceiptsRule[^"]*","Arn"\]\}$/ : /"Ref":"HttpApi/;
      assert.match(JSON.stringify(Properties["SourceArn"]), source, id);
      const binary = Object.values(EXPECTED).find(
        (each) => functionOf(service, each)[0] === target(Properties["FunctionName"]),
      );
      called.push(`${caller} ${binary}`);
    }
    assert.deepEqual(called.sort(), [
      "apigateway.amazonaws.com admin",
      "apigateway.amazonaws.com enroll",
      "apigateway.amazonaws.com push-token",
      "apigateway.amazonaws.com receipts",
      "apigateway.amazonaws.com verify",
      "events.amazonaws.com receipts",
    ]);
  });

  test("each route has its throttle, and the stage waits for the routes it names", () => {
    const settings = stage.Properties["RouteSettings"];
    assert.deepEqual(Object.keys(settings).sort(), Object.keys(EXPECTED).sort());
    for (const [key, each] of Object.entries(settings) as Array<[string, Record<string, number>]>) {
      assert.ok((each["ThrottlingRateLimit"] ?? 0) > 0, key);
      assert.ok((each["ThrottlingBurstLimit"] ?? 0) >= (each["ThrottlingRateLimit"] ?? 0), key);
    }
    const waits = new Set(stage.DependsOn);
    for (const [id] of routes) {
      assert.ok(waits.has(id), id);
    }
  });

  test("what has no throttle of its own has the stage's", () => {
    assert.equal(stage.Properties["StageName"], "$default");
    assert.deepEqual(
      [stage.Properties["DefaultRouteSettings"].ThrottlingRateLimit, stage.Properties["DefaultRouteSettings"].ThrottlingBurstLimit],
      [50, 100],
    );
  });

  test("access logs hold the route's key, and neither path, query, address nor header", () => {
    const { Format, DestinationArn } = stage.Properties["AccessLogSettings"];
    const used = [...String(Format).matchAll(/\$context\.([A-Za-z.]+)/g)].map(([, name]) => name).sort();
    assert.deepEqual(used, [
      "integrationLatency",
      "integrationStatus",
      "requestId",
      "requestTimeEpoch",
      "responseLatency",
      "responseLength",
      "routeKey",
      "status",
    ]);
    assert.match(target(DestinationArn), /^HttpAccessLog/);
  });

  test("links start with the API's own endpoint until a public URL is set", () => {
    const link = (context: Record<string, unknown>): unknown =>
      functionOf(deploy(context).service, "push-token")[1].Properties["Environment"].Variables["OTPOST_PUBLIC_URL"];
    assert.match(target(link({})), /^HttpApi/);
    assert.equal(link({ publicUrl: "https://otp.example.org/" }), "https://otp.example.org");
  });

  test("outputs name what an operator needs", () => {
    assert.deepEqual(Object.keys(service.findOutputs("*")).sort(), [
      "ApiId",
      "ApiUrl",
      "CoreTable",
      "DeliveriesQueueUrl",
      "DirectoryBusName",
      "DlqUrls",
      "FlowTable",
      "JobsQueueUrl",
      "PlatformKeyCommand",
      "PlatformKeySecret",
      "PublicUrl",
      "SesQueueUrl",
    ]);
    assert.match(
      JSON.stringify(service.findOutputs("PlatformKeyCommand")),
      /otp_platform_\$\(aws secretsmanager get-secret-value --region eu-west-2 --secret-id .* --query SecretString --output text\)/,
    );
  });
});
