// Installs other engines from npm into .cache/peers_npm, for tests and benches that compare with them. They are no dependency
// of the project, and only asked for where ../shared/peers, which runs them, is there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** What the runners of ../shared/peers call PEERS_DIR. */
export const peersFolder = join(root, ".cache", "peers_npm");

/** The runners. */
export const peerScripts = join(root, "..", "shared", "peers");

/** node-llama-cpp and the one package of it that holds this machine's binaries: some 85 MB instead of the 900 of all. */
const llamacppVersion = "3.22.1";

function llamacppBinaries() {
  const { platform, arch } = process;
  const os = { linux: "linux", darwin: "mac", win32: "win" }[platform] ?? platform;
  const name = os === "mac" && arch === "arm64" ? "mac-arm64-metal" : `${os}-${arch}`;
  return `@node-llama-cpp/${name}`;
}

export function llamacppPackages() {
  return { "node-llama-cpp": llamacppVersion, [llamacppBinaries()]: llamacppVersion };
}

function installedVersion(name) {
  const file = join(peersFolder, "node_modules", ...name.split("/"), "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : undefined;
}

/** The first error line without addresses: a registry's name is the machine's own affair. */
function reasonOf({ error, stderr }) {
  const lines = `${error?.message ?? ""}\n${stderr ?? ""}`.split("\n").filter((line) => /^npm error (?!code)|\S/.test(line));
  const line = lines.find((text) => text.startsWith("npm error")) ?? lines[0] ?? "npm failed";
  return line.replaceAll(/\w+:\/\/\S+/g, "(registry)");
}

/**
 * @param wanted version by package name
 * @returns undefined when all are there, else the reason why not
 */
export function ensurePeerPackages(wanted, log) {
  const missing = Object.entries(wanted).filter(([name, version]) => installedVersion(name) !== version);
  if (missing.length === 0) return undefined;
  const names = missing.map(([name, version]) => `${name}@${version}`);
  log(`installing ${names.join(" ")} into .cache/peers_npm`);
  mkdirSync(peersFolder, { recursive: true });
  const manifest = join(peersFolder, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, '{ "name": "peers", "private": true, "type": "module" }\n');
  const flags = ["--save-exact", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--fetch-retries=1"];
  const done = spawnSync("npm", ["install", ...flags, ...names], {
    cwd: peersFolder,
    encoding: "utf8",
    timeout: 180_000,
    shell: process.platform === "win32",
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
  });
  return done.status === 0 ? undefined : `${names.join(" ")} cannot be installed: ${reasonOf(done)}`;
}

/** onnxruntime-web and the browser driver that its runner wants. */
export const onnxruntimePackages = { "onnxruntime-web": "1.30.0", "playwright-core": "1.65.1" };

/** llama.cpp, for the test that compares with it. @returns undefined, or the reason why it is not there */
export function ensureLlamacpp(log) {
  if (!existsSync(join(peerScripts, "llamacpp_node.mjs"))) return "llama.cpp is not installed: ../shared/peers is absent";
  return ensurePeerPackages(llamacppPackages(), log);
}
