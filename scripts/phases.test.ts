import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCheck, runChild, runTests, type Tally } from "./phases.mjs";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "shaderloom-phases-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** @returns a script's path, as phases name them: relative to the repository root */
function script(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return relative(process.cwd(), file);
}

const read = (tally: Tally): Tally => tally;
const env = (file: string): Record<string, string> => ({ REPORT: file });
const write = (tally: object): string => `require("fs").writeFileSync(process.env.REPORT, ${JSON.stringify(JSON.stringify(tally))});`;
const counted = { passed: 3, failed: 0, skipped: 1, skips: [{ name: "a", reason: "b" }], failures: [] };

test("a check counts once", async () => {
  const good = script("good.cjs", "");
  const bad = script("bad.cjs", "process.exit(1)");
  expect(await runCheck({ name: "good", command: [good] })).toMatchObject({ passed: 1, failed: 0 });
  expect(await runCheck({ name: "bad", command: [bad] })).toMatchObject({ passed: 0, failed: 1, failures: ["bad"] });
});

test("a phase that hangs is stopped with what it started", async () => {
  const text = 'require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e3)"], { stdio: "inherit" });';
  const began = Date.now();
  const { timedOut } = await runChild([script("hang.cjs", text)], { seconds: 1, show: false });
  expect(timedOut).toBe(true);
  expect(Date.now() - began).toBeLessThan(10_000);
});

test("a runner's counts are believed, and a crash after them is a failure", async () => {
  const phase = { name: "phases-test", seconds: 20, read, env };
  expect(await runTests({ ...phase, command: [script("a.cjs", write(counted))] })).toEqual(counted);
  const crash = await runTests({ ...phase, command: [script("b.cjs", `${write(counted)} process.exit(3)`)] });
  expect(crash).toMatchObject({ passed: 3, failed: 1, failures: ["phases-test: ended with status 3 and no failed test"] });
  const silent = await runTests({ ...phase, command: [script("c.cjs", "")] });
  expect(silent).toMatchObject({ passed: 0, failed: 1 });
});
