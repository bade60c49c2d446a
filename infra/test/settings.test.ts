import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { App } from "aws-cdk-lib";
import { readSettings, type Settings } from "../lib/settings.ts";

const SENDER = "Otpost <otp@example.org>";
const SIGNED_IN = { CDK_DEFAULT_ACCOUNT: "111122223333", CDK_DEFAULT_REGION: "eu-west-1" };

function read(context: Record<string, unknown>, environment: NodeJS.ProcessEnv = SIGNED_IN): Settings {
  return readSettings(new App({ context: { sesSender: SENDER, ...context } }), environment);
}

describe("settings", () => {
  test("defaults suit a first deployment", () => {
    const settings = read({});
    assert.equal(settings.stage, "dev");
    assert.equal(settings.architecture.name, "arm64");
    assert.equal(settings.retain, false);
    assert.equal(settings.publicUrl, undefined);
    assert.equal(settings.reservedConcurrency, undefined);
    assert.match(settings.packages, /\/target\/lambda$/);
    assert.deepEqual(settings.env, { account: "111122223333", region: "eu-west-1" });
  });

  test("a stage that is not dev is kept, unless the context says otherwise", () => {
    assert.equal(read({ stage: "prod" }).retain, true);
    assert.equal(read({ stage: "prod", retain: "false" }).retain, false);
    assert.equal(read({ stage: "dev", retain: "true" }).retain, true);
  });

  test("context names account and region where nobody is signed in", () => {
    assert.deepEqual(read({ account: "1", region: "eu-west-2" }, {}).env, { account: "1", region: "eu-west-2" });
    assert.throws(() => read({}, {}), /Account and region are unknown/);
  });

  test("providers are asked at their own addresses, unless the context names others", () => {
    const settings = read({});
    assert.equal(settings.twilioUrl, "https://api.twilio.com");
    assert.equal(settings.govukNotifyUrl, "https://api.notifications.service.gov.uk");
    assert.equal(read({ twilioUrl: "http://127.0.0.1:9/" }).twilioUrl, "http://127.0.0.1:9");
    for (const twilioUrl of ["http://api.twilio.com", "https://u@x.example", "https://:p@x.example", "https://x.example/path", "x"]) {
      assert.throws(() => read({ twilioUrl }), /twilioUrl/);
    }
  });

  test("lists and names are read closely", () => {
    const settings = read({ sesIdentities: " acme.example ,Otp@globex.example", allowedNetworks: "10.1.0.0/16, fd00::/8" });
    assert.deepEqual(settings.sesIdentities, ["acme.example", "Otp@globex.example"]);
    assert.deepEqual(settings.allowedNetworks, ["10.1.0.0/16", "fd00::/8"]);
    assert.equal(settings.ehloName, "example.org");
    assert.deepEqual(read({}).sesIdentities, []);
    for (const sesIdentities of ["*", "acme", "a b.example", "Acme.example"]) {
      assert.throws(() => read({ sesIdentities }), /sesIdentities/);
    }
    assert.throws(() => read({ allowedNetworks: "10.1.0.0" }), /allowedNetworks/);
    for (const ehloName of ["not a name", "10.0.0.1", "a.-b"]) {
      assert.throws(() => read({ ehloName }), /ehloName/);
    }
  });

  test("a public URL loses its last slash and nothing else", () => {
    assert.equal(read({ publicUrl: "https://otp.example.org/base/" }).publicUrl, "https://otp.example.org/base");
    assert.equal(read({ publicUrl: "http://127.0.0.1:8080" }).publicUrl, "http://127.0.0.1:8080");
  });

  test("the sender gives the identities that SES checks", () => {
    const identities = ["otp@example.org", "example.org"];
    assert.deepEqual(read({}).sesSender, { header: SENDER, address: "otp@example.org", identities });
    assert.deepEqual(read({ sesSender: "Otp@a.Mail.example.org" }).sesSender.identities, [
      "otp@a.mail.example.org",
      "a.mail.example.org",
      "mail.example.org",
      "example.org",
    ]);
  });

  test("context of the command line is text: numbers and flags are read from it", () => {
    assert.equal(read({ reservedConcurrency: "20" }).reservedConcurrency, 20);
    assert.equal(read({ reservedConcurrency: "" }).reservedConcurrency, undefined);
  });

  const refused: Array<[string, unknown]> = [
    ["stage", "Prod"],
    ["stage", "a-stage-name-that-is-too-long"],
    ["architecture", "sparc"],
    ["retain", "yes"],
    ["publicUrl", "otp.example.org"],
    ["publicUrl", "https://otp.example.org/?x=1"],
    ["publicUrl", "ftp://otp.example.org"],
    ["sesSender", "Otpost"],
    ["sesSender", "Otpost <*@example.org>"],
    ["sesSender", ""],
    ["reservedConcurrency", "0"],
    ["reservedConcurrency", "some"],
  ];
  for (const [name, value] of refused) {
    test(`${name}="${value}" is refused in one line that names it`, () => {
      assert.throws(
        () => read({ [name]: value }),
        (error: Error) => error.name === "SettingsError" && error.message.startsWith(name) && !error.message.includes("\n"),
      );
    });
  }
});
