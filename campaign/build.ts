// Builds the campaign's pages from the sources as they are, into dist/campaign, and serves them.

import { createReadStream, existsSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { build } from "vite";
import { compactShaders, portableTokenizers } from "../scripts/vite_plugins.ts";

const root = join(import.meta.dirname, "..");
export const outDir: string = join(root, "dist", "campaign");
const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

async function buildPages(): Promise<void> {
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
}

export function servePages(request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const file = join(outDir, normalize(path));
  if (!file.startsWith(outDir + sep) || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream", "cache-control": "no-store" });
  createReadStream(file).pipe(response);
}

// oxlint-disable-next-line import/no-default-export -- Playwright calls it once before all tests
export default buildPages;
