// The package as its users get it: packed by npm, unpacked into an empty app or a plain folder, and served.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, sep } from "node:path";

const root = join(import.meta.dirname, "..");

/** The page of every app here: it only brings the package in, the tests do the rest. */
const pageHtml = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8" /><title>An app</title><link rel="icon" href="data:," /></head>
  <body><script type="module" src="./main.js"></script></body>
</html>
`;

function npm(cwd: string, ...args: string[]): string {
  return execFileSync("npm", args, { cwd, encoding: "utf8", shell: process.platform === "win32", stdio: ["ignore", "pipe", "ignore"] });
}

/** A folder for one test run; `remove` deletes it. */
export interface PackedPackage {
  readonly folder: string;
  /** Paths in the tarball. */
  readonly files: readonly string[];
  readonly tarball: string;
  remove(): void;
}

/** @throws when the package has not been built */
export function packPackage(): PackedPackage {
  for (const built of ["dist/lib/index.js", "dist/lib/worker.js", "dist/types/index.d.ts"]) {
    if (!existsSync(join(root, built))) throw new Error(`${built} is missing: run \`npm run lib\` first`);
  }
  const folder = mkdtempSync(join(tmpdir(), "shaderloom-package-"));
  const [report] = JSON.parse(npm(root, "pack", "--ignore-scripts", "--json", "--pack-destination", folder)) as Array<{
    filename: string;
    files: Array<{ path: string }>;
  }>;
  return {
    folder,
    files: report.files.map(({ path }) => path),
    tarball: join(folder, report.filename),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function writeModel(folder: string): void {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "public/models/shaderloom-tiny.gguf"), join(folder, "model.gguf"));
}

/** An app of nothing but the package, installed from the tarball without a network. */
export function installApp({ folder, tarball }: PackedPackage): string {
  const app = join(folder, "app");
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  npm(app, "install", "--offline", "--no-audit", "--no-fund", tarball);
  writeFileSync(join(app, "index.html"), pageHtml);
  writeFileSync(join(app, "main.js"), 'import * as shaderloom from "shaderloom";\nObject.assign(globalThis, { shaderloom });\n');
  writeModel(join(app, "public"));
  return app;
}

/**
 * A folder with a page that imports the package's files, no tools involved.
 * @param packageUrl where the page finds them
 */
export function plainSite(app: string, name: string, packageUrl = "./shaderloom/index.js"): string {
  const site = join(app, "..", name);
  writeModel(site);
  cpSync(join(app, "node_modules/shaderloom/dist/lib"), join(site, "shaderloom"), { recursive: true });
  writeFileSync(join(site, "index.html"), pageHtml);
  writeFileSync(join(site, "main.js"), `import * as shaderloom from "${packageUrl}";\nObject.assign(globalThis, { shaderloom });\n`);
  return site;
}

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript" };

export interface Site {
  readonly address: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  close(): void;
}

/** A server as simple as can be: no ranges, and only the headers it is told. */
export function serveFolder(folder: string, headers: Readonly<Record<string, string>> = {}): Promise<Site> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    requests.push(pathname);
    const file = join(folder, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    if (!file.startsWith(folder + sep) || statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...headers, "content-type": types[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      resolve({ address: `http://127.0.0.1:${port}/`, requests, close: () => server.close() });
    });
  });
}
