import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { Architecture } from "aws-cdk-lib/aws-lambda";
import { findPackage } from "../lib/package.ts";
import { temporaryFolder, writePackage } from "./support.ts";

const ARM = Architecture.ARM_64;

function elf(machine: number): Buffer {
  const file = Buffer.alloc(64);
  file.write("\x7fELF", "latin1");
  file.writeUInt16LE(machine, 18);
  return file;
}

test("the hash follows the binary, not the time of packing", () => {
  const folder = temporaryFolder();
  const hash = (content: string, time: number): string => {
    writePackage(folder, "verify", Buffer.from(content), { time });
    return findPackage(folder, "verify", ARM).hash;
  };
  assert.equal(hash("one", 1), hash("one", 2));
  assert.notEqual(hash("one", 1), hash("two", 1));
});

test("a compressed package gives the same hash as a stored one", () => {
  const folder = temporaryFolder();
  const content = Buffer.from("otpost ".repeat(1000));
  writePackage(folder, "verify", content);
  const stored = findPackage(folder, "verify", ARM).hash;
  writePackage(folder, "verify", content, { deflate: true });
  assert.equal(findPackage(folder, "verify", ARM).hash, stored);
});

test("a missing package names its path", () => {
  assert.throws(() => findPackage("/nowhere", "verify", ARM), /^SettingsError: \/nowhere\/verify\/bootstrap\.zip is missing/);
});

test("a zip without a bootstrap, or no zip at all, is refused", () => {
  const folder = temporaryFolder();
  writePackage(folder, "verify", Buffer.from("x"), { name: "readme" });
  assert.throws(() => findPackage(folder, "verify", ARM), /no readable bootstrap/);
  fs.writeFileSync(path.join(folder, "verify", "bootstrap.zip"), "cut off");
  assert.throws(() => findPackage(folder, "verify", ARM), /no readable bootstrap/);
});

test("a binary of the other architecture is refused before it is deployed", () => {
  const folder = temporaryFolder();
  writePackage(folder, "verify", elf(0x3e));
  assert.throws(() => findPackage(folder, "verify", ARM), /was built for x86_64/);
  assert.match(findPackage(folder, "verify", Architecture.X86_64).hash, /^[0-9a-f]{64}$/);
  writePackage(folder, "verify", elf(0xb7));
  assert.match(findPackage(folder, "verify", ARM).hash, /^[0-9a-f]{64}$/);
});
