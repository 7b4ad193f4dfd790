import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { nodeProblem } from "./node_version.mjs";

test.each(["20.19.0", "20.20.2", "22.12.0", "22.20.1", "23.0.0", "24.1.0", "100.0.0"])("Node %s is enough", (version) => {
  expect(nodeProblem(version)).toBeUndefined();
});

test.each(["16.20.2", "18.20.8", "20.9.0", "20.18.3", "21.7.3", "22.0.0", "22.11.0"])("Node %s is refused by name", (version) => {
  expect(nodeProblem(version)).toBe(`Node ${version} is not one that Vite runs on: install Node 20.19, 22.12 or newer.`);
});

test.each(["setup.mjs", "start.mjs", "test.mjs"])("%s stops on an old Node with that one sentence", (script) => {
  const folder = mkdtempSync(join(tmpdir(), "shaderloom-node-"));
  const old = join(folder, "old.mjs");
  writeFileSync(old, 'Object.defineProperty(process.versions, "node", { value: "18.20.8" });\n');
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", pathToFileURL(old).href, join(import.meta.dirname, script)], {
    encoding: "utf8",
    timeout: 20_000,
  });
  rmSync(folder, { recursive: true });
  expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: "", stderr: `${nodeProblem("18.20.8")}\n` });
});
