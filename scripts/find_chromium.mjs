// Finds a Chromium to test with: CHROME_PATH, an installed one, Playwright's own.
// It only looks; scripts/setup.mjs installs one when this returns undefined.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Flags every test browser starts with: WebGPU on SwiftShader where there is no GPU, and no background traffic. */
export const chromiumArgs = [
  "--enable-unsafe-webgpu",
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "google-chrome-beta", "microsoft-edge"];

function onPath() {
  const folders = (process.env.PATH ?? "").split(process.platform === "win32" ? ";" : ":").filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, process.platform === "win32" ? `${name}.exe` : name)));
}

function usualPlaces() {
  if (process.platform === "darwin") {
    return ["Google Chrome", "Chromium", "Microsoft Edge"].flatMap((app) =>
      ["", process.env.HOME ?? ""].map((home) => `${home}/Applications/${app}.app/Contents/MacOS/${app}`),
    );
  }
  if (process.platform === "win32") {
    const roots = [process.env.PROGRAMFILES, process.env["PROGRAMFILES(X86)"], process.env.LOCALAPPDATA].filter(Boolean);
    const tails = ["Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe"];
    return roots.flatMap((root) => tails.map((tail) => join(root, tail)));
  }
  return ["/usr/lib/chromium/chromium", "/opt/google/chrome/chrome"];
}

/** Playwright knows where its own download would be; the file may be missing. */
function playwrightsOwn() {
  try {
    const script = 'import("playwright-core").then((p) => process.stdout.write(p.chromium.executablePath()))';
    return [
      execFileSync(process.execPath, ["-e", script], { cwd: import.meta.dirname, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    ];
  } catch {
    return [];
  }
}

/** @returns path of a Chromium executable, or undefined */
export function findChromium() {
  const named = process.env.CHROME_PATH;
  if (named) {
    if (!existsSync(named)) throw new Error(`CHROME_PATH names ${named}, which does not exist.`);
    return named;
  }
  return [...onPath(), ...usualPlaces()].find((file) => existsSync(file)) ?? playwrightsOwn().find((file) => file && existsSync(file));
}
