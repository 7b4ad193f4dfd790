// Finds the software Vulkan drivers that Dawn in Node is tested on, as environment variables for a process to start with.
// It only looks; scripts/setup.mjs unpacks lavapipe.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findChromium } from "./find_chromium.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Ignored folder that setup.mjs unpacks Mesa into. */
export const lavapipeFolder = join(root, ".cache", "lavapipe");

function libraryFolders(base) {
  const found = [];
  for (const lib of ["usr/lib", "lib"]) {
    const folder = join(base, lib);
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder)) if (entry.endsWith("-linux-gnu")) found.push(join(folder, entry));
  }
  return found;
}

function environment(icd, folders) {
  const path = [...folders, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  return { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: path };
}

/** An ICD names its driver by an absolute path, which a checkout that was moved or copied leaves behind. */
function namesADriver(icd) {
  try {
    return existsSync(JSON.parse(readFileSync(icd, "utf8")).ICD.library_path);
  } catch {
    return false;
  }
}

/** @returns `{ env }`, or `{ reason }` when lavapipe is absent or was unpacked for another place */
export function findLavapipe(folder = lavapipeFolder) {
  const icd = join(folder, "lvp_icd.json");
  if (namesADriver(icd)) return { env: environment(icd, libraryFolders(join(folder, "root"))) };
  if (process.platform !== "linux") return { reason: "lavapipe is a Linux driver" };
  return { reason: "lavapipe is not unpacked (node scripts/setup.mjs says why)" };
}

/** @returns `{ env }`, or `{ reason }` when no installed Chromium brings SwiftShader's Vulkan driver and loader */
export function findSwiftshader() {
  const folders = [dirname(findChromium() ?? ""), "/usr/lib/chromium"];
  const folder = folders.find((at) => existsSync(join(at, "vk_swiftshader_icd.json")) && existsSync(join(at, "libvulkan.so.1")));
  if (folder) return { env: environment(join(folder, "vk_swiftshader_icd.json"), [folder]) };
  return { reason: "no installed Chromium with vk_swiftshader_icd.json and libvulkan.so.1" };
}
