// Runs one phase of `npm test` as a child process: shows or keeps its output, stops it when it hangs, and counts its results.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

/** @returns {{ passed: number, failed: number, skipped: number, skips: { name: string, reason: string }[], failures: string[] }} */
export const emptyTally = () => ({ passed: 0, failed: 0, skipped: 0, skips: [], failures: [] });

/** Stops the child and everything it started. */
function killTree(child) {
  if (process.platform === "win32") {
    spawn("taskkill", ["/pid", String(child.pid), "/T", "/F"], { stdio: "ignore" });
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/**
 * @param command a script of node_modules, run by this Node
 * @param options.seconds after which the phase is stopped
 * @param options.show whether output goes to the terminal as it comes; else it is kept for a failure
 * @returns `{ code, output, timedOut }`
 */
export function runChild([script, ...args], { seconds, show, env }) {
  const child = spawn(process.execPath, [join(root, script), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: process.platform !== "win32",
  });
  let output = "";
  const take = (data) => {
    if (show) process.stdout.write(data);
    else output += data;
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const stop = () => killTree(child);
  const interrupted = () => {
    stop();
    // After every child has been stopped.
    setImmediate(() => process.exit(130));
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  return new Promise((resolve) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      stop();
    }, seconds * 1000);
    child.on("close", (code) => {
      clearTimeout(timer);
      process.removeListener("SIGINT", interrupted);
      process.removeListener("SIGTERM", interrupted);
      resolve({ code: code ?? 1, output, timedOut });
    });
  });
}

/** A check that passes or fails as a whole. */
export async function runCheck(phase) {
  const { code, output, timedOut } = await runChild(phase.command, { seconds: phase.seconds ?? 180, show: false });
  if (code !== 0 || phase.printAlways) process.stdout.write(output);
  if (timedOut) console.log(`${phase.name}: stopped after ${phase.seconds ?? 180} s`);
  const failed = code === 0 ? 0 : 1;
  return { passed: 1 - failed, failed, skipped: 0, skips: [], failures: failed ? [phase.name] : [] };
}

/** A test runner that leaves its counts in a file; `phase.read` turns that file into a tally. */
export async function runTests(phase) {
  const folder = join(root, ".cache", "results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${phase.name}.json`);
  rmSync(file, { force: true });
  const { code, output, timedOut } = await runChild(phase.command, { seconds: phase.seconds, show: !phase.quiet, env: phase.env(file) });
  process.stdout.write(output);
  const tally = existsSync(file) ? phase.read(JSON.parse(readFileSync(file, "utf8"))) : emptyTally();
  const silent = code === 0 && tally.passed + tally.failed + tally.skipped === 0;
  const why = timedOut
    ? `${phase.name}: stopped after ${phase.seconds} s`
    : `${phase.name}: ended with status ${code} and ${silent ? "no result" : "no failed test"}`;
  if (timedOut || silent || (code !== 0 && tally.failed === 0)) {
    tally.failed += 1;
    tally.failures.push(why);
  }
  return tally;
}
