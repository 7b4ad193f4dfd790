// Builds the campaign's pages from the sources as they are, into a folder of this run, and serves them.

import { createReadStream, existsSync, mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize, sep } from "node:path";
import { build } from "vite";
import { compactShaders, portableTokenizers } from "../scripts/vite_plugins.ts";

/** Set by the global setup for the processes that run the tests. */
const folderVariable = "SHADERLOOM_CAMPAIGN_PAGES";
const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

export function pageFolder(): string {
  return process.env[folderVariable] ?? "";
}

/** @returns what removes the folder again */
async function buildPages(): Promise<() => void> {
  const outDir = mkdtempSync(join(tmpdir(), "shaderloom-campaign-pages-"));
  process.env[folderVariable] = outDir;
  const plugins = [compactShaders(), portableTokenizers()];
  const pages = ["storage", "door"].map((name) => join(import.meta.dirname, "page", `${name}.html`));
  await build({
    root: join(import.meta.dirname, "page"),
    base: "./",
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    plugins,
    worker: { format: "es", plugins: () => plugins },
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2023",
      minify: false,
      reportCompressedSize: false,
      chunkSizeWarningLimit: 5000,
      modulePreload: { polyfill: false },
      rolldownOptions: { input: pages, checks: { pluginTimings: false } },
    },
  });
  return () => rmSync(outDir, { recursive: true, force: true });
}

export function servePages(request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const file = join(pageFolder(), normalize(path));
  if (!file.startsWith(pageFolder() + sep) || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream", "cache-control": "no-store" });
  createReadStream(file).pipe(response);
}

// oxlint-disable-next-line import/no-default-export -- Playwright calls it once before all tests
export default buildPages;
