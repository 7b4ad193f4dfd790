// Unpacks Mesa's software Vulkan driver (lavapipe) and the loader into .cache/lavapipe, without installing anything.
// Packages come from the machine's own Debian mirror: its address is read from the apt configuration, never written here.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findLavapipe, lavapipeFolder } from "./find_vulkan.mjs";

/** Part of every process already; a second copy of these on the library path would only do harm. */
const neverUnpack = new Set(["libc6", "libc-bin", "libgcc-s1", "gcc-12-base", "gcc-14-base", "libstdc++6", "dpkg", "debconf"]);

function osRelease() {
  if (!existsSync("/etc/os-release")) return {};
  const lines = readFileSync("/etc/os-release", "utf8").split("\n");
  return Object.fromEntries(
    lines.filter((line) => line.includes("=")).map((line) => [line.split("=")[0], line.split("=")[1].replaceAll('"', "")]),
  );
}

/** Sources in deb822 form: stanzas of `Field: value`. */
function readStanzas(text) {
  return text.split(/\n\s*\n/).map((stanza) => {
    const fields = {};
    for (const line of stanza.split("\n")) {
      const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      if (match) fields[match[1]] = match[2].trim();
    }
    return {
      types: fields.Types,
      uris: fields.URIs,
      suites: (fields.Suites ?? "").split(/\s+/),
      signedBy: fields["Signed-By"],
      enabled: fields.Enabled !== "no",
    };
  });
}

/** Sources in the one-line form: `deb [options] uri suite components`. */
function readLines(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)/.exec(line.trim());
    if (!match) continue;
    const signedBy = /signed-by=(\S+)/.exec(match[1] ?? "")?.[1];
    found.push({ types: "deb", uris: match[2], suites: [match[3]], signedBy, enabled: true });
  }
  return found;
}

/** The configured mirror that serves the release itself, not its updates or security fixes. */
function findMirror(codename) {
  const parts = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list", ...(existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [])];
  for (const file of files.filter((name) => existsSync(name))) {
    const read = file.endsWith(".sources") ? readStanzas : file.endsWith(".list") ? readLines : () => [];
    const mirror = read(readFileSync(file, "utf8")).find(
      (source) => source.enabled && source.types?.split(/\s+/).includes("deb") && source.suites.includes(codename),
    );
    if (mirror) return mirror;
  }
  return undefined;
}

function aptOptions(work) {
  const settings = {
    "Dir::Etc::sourcelist": join(work, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Dir::Etc::preferencesparts": "-",
    "Dir::State::Lists": join(work, "lists"),
    "Dir::State::status": join(work, "status"),
    "Dir::Cache": join(work, "cache"),
    "Debug::NoLocking": "1",
    "APT::Get::List-Cleanup": "0",
    "APT::Install-Recommends": "0",
    "APT::Sandbox::User": "",
  };
  return Object.entries(settings).map(([name, value]) => `-o${name}=${value}`);
}

function quiet(command, args, options = {}) {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 300_000, ...options });
}

/** Against an empty package status apt names every package the driver needs, whatever this machine has installed. */
function listPackages(options, suite) {
  const plan = quiet("apt-get", [...options, "install", "-s", "-t", suite, "mesa-vulkan-drivers", "libvulkan1"]);
  const names = plan
    .split("\n")
    .filter((line) => line.startsWith("Inst "))
    .map((line) => /^Inst (\S+) \((\S+)/.exec(line));
  return names.filter((match) => match && !neverUnpack.has(match[1])).map((match) => `${match[1]}=${match[2]}`);
}

function unpack(work, packages, options) {
  const downloads = join(work, "downloads");
  mkdirSync(downloads, { recursive: true });
  quiet("apt-get", [...options, "download", ...packages], { cwd: downloads });
  const target = join(work, "root");
  mkdirSync(target, { recursive: true });
  for (const file of readdirSync(downloads)) quiet("dpkg-deb", ["-x", join(downloads, file), target]);
  rmSync(downloads, { recursive: true });
  return target;
}

/** The packaged ICD file names the driver without a folder; ours names the unpacked one. */
function writeIcd(work, target) {
  const folder = join(target, "usr", "share", "vulkan", "icd.d");
  const name = readdirSync(folder).find((file) => file.startsWith("lvp_icd"));
  const icd = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const libraries = readdirSync(join(target, "usr", "lib")).find((entry) => entry.endsWith("-linux-gnu"));
  icd.ICD.library_path = join(target, "usr", "lib", libraries, "libvulkan_lvp.so");
  if (!existsSync(icd.ICD.library_path)) throw new Error("the unpacked package holds no libvulkan_lvp.so");
  writeFileSync(join(work, "lvp_icd.json"), JSON.stringify(icd));
}

function prepare(codename, mirror) {
  const work = lavapipeFolder;
  rmSync(work, { recursive: true, force: true });
  for (const folder of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(work, folder), { recursive: true });
  writeFileSync(join(work, "status"), "");
  const backports = codename === "bookworm" ? [`${codename}-backports`] : [];
  const signed = mirror.signedBy ? `[signed-by=${mirror.signedBy}] ` : "";
  const uri = mirror.uris.split(/\s+/)[0];
  writeFileSync(join(work, "sources.list"), [codename, ...backports].map((suite) => `deb ${signed}${uri} ${suite} main\n`).join(""));
  const options = aptOptions(work);
  quiet("apt-get", [...options, "update"]);
  const target = unpack(work, listPackages(options, backports[0] ?? codename), options);
  writeIcd(work, target);
  for (const folder of ["lists", "cache", "sources.list", "status"]) rmSync(join(work, folder), { recursive: true, force: true });
}

/** @returns undefined when lavapipe is there, else the reason why it is not */
export function ensureLavapipe(log) {
  if (findLavapipe().env) return undefined;
  const { ID, VERSION_CODENAME } = osRelease();
  if (ID !== "debian" || !VERSION_CODENAME) return "lavapipe is unpacked on Debian only";
  const mirror = findMirror(VERSION_CODENAME);
  if (!mirror) return `no apt source for ${VERSION_CODENAME} is configured`;
  log("unpacking lavapipe (Mesa's software Vulkan) into .cache/lavapipe");
  try {
    prepare(VERSION_CODENAME, mirror);
    return undefined;
  } catch (error) {
    rmSync(lavapipeFolder, { recursive: true, force: true });
    const text = `${error.stderr ?? ""}${error.message}`.replaceAll(/\w+:\/\/\S+/g, "(mirror)");
    return `lavapipe could not be unpacked: ${text.split("\n").find((line) => line.startsWith("E:")) ?? text.split("\n")[0]}`;
  }
}
