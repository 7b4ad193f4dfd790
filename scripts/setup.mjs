// Installs what is missing: the packages of package-lock.json and, for tests, a Chromium and the lavapipe driver.
// `node scripts/setup.mjs` does all of it; start.mjs needs the packages only.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findChromium } from "./find_chromium.mjs";
import { ensureLavapipe } from "./lavapipe.mjs";
import { requireNode } from "./node_version.mjs";
import { ensureLlamacpp } from "./peer_packages.mjs";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function log(line) {
  console.log(`setup: ${line}`);
}

/** Runs a command with its output shown; throws when it fails. Windows needs a shell to find npm. */
function run(command, args, env = {}) {
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
    env: { ...process.env, ...env },
  });
  if (done.status !== 0) throw new Error(`\`${command} ${args.join(" ")}\` failed`);
}

function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).packages : {};
}

/** npm leaves a copy of the lockfile in node_modules; packages for other platforms are optional and may be absent. */
function packagesAreCurrent() {
  const installed = packagesOf(join(root, "node_modules", ".package-lock.json"));
  const wanted = Object.entries(packagesOf(join(root, "package-lock.json")));
  return wanted.every(([path, entry]) => path === "" || entry.optional || installed[path]?.version === entry.version);
}

export function ensurePackages() {
  requireNode();
  if (packagesAreCurrent()) return;
  log("installing packages (npm ci)");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
}

function isRootOnDebian() {
  return process.platform === "linux" && process.getuid?.() === 0 && existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get");
}

/** @returns path of a Chromium */
export function ensureChromium() {
  const found = findChromium();
  if (found) return found;
  if (isRootOnDebian()) {
    log("installing Debian's chromium");
    try {
      run("apt-get", ["update", "-q"]);
      run("apt-get", ["install", "-q", "-y", "--no-install-recommends", "chromium"], { DEBIAN_FRONTEND: "noninteractive" });
    } catch (error) {
      log(`${error.message}; trying Playwright's own`);
    }
  }
  if (!findChromium()) {
    log("downloading Playwright's Chromium");
    run("npx", ["--no-install", "playwright", "install", "chromium"]);
  }
  const installed = findChromium();
  if (!installed) throw new Error("No Chromium could be installed: set CHROME_PATH to one.");
  return installed;
}

/** @returns reasons for what the tests have to do without */
export function ensureTestMachine() {
  ensurePackages();
  const missing = [];
  try {
    log(`chromium: ${versionOf(ensureChromium())}`);
  } catch (error) {
    missing.push(`Chromium: ${error.message}`);
  }
  for (const reason of [ensureLavapipe(log), ensureLlamacpp(log)]) if (reason) missing.push(reason);
  for (const line of missing) log(line);
  return missing;
}

function versionOf(chromium) {
  if (process.platform === "win32") return chromium;
  return execFileSync(chromium, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) ensureTestMachine();
