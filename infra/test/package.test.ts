import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
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
    writePackage(folder, "verify", Buffer.from(content), time);
    return findPackage(folder, "verify", ARM).hash;
  };
  assert.equal(hash("one", 1), hash("one", 2));
  assert.notEqual(hash("one", 1), hash("two", 1));
});

test("a compressed package of another writer gives the same hash", () => {
  const folder = temporaryFolder();
  const content = "otpost ".repeat(1000);
  writePackage(folder, "verify", Buffer.from(content));
  const stored = findPackage(folder, "verify", ARM).hash;
  const script = "import sys,zipfile as z\nwith z.ZipFile(sys.argv[1],'w',z.ZIP_DEFLATED) as f: f.writestr('readme','x'); f.writestr('bootstrap',sys.argv[2])";
  execFileSync("python3", ["-c", script, path.join(folder, "verify", "bootstrap.zip"), content]);
  assert.equal(findPackage(folder, "verify", ARM).hash, stored);
});

test("a missing package names its path", () => {
  assert.throws(() => findPackage("/nowhere", "verify", ARM), /^SettingsError: \/nowhere\/verify\/bootstrap\.zip is missing/);
});

test("a zip without a bootstrap is refused", () => {
  const folder = temporaryFolder();
  const script = "import sys,zipfile as z\nwith z.ZipFile(sys.argv[1],'w') as f: f.writestr('readme','x')";
  writePackage(folder, "verify", Buffer.from("old"));
  execFileSync("python3", ["-c", script, path.join(folder, "verify", "bootstrap.zip")]);
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
