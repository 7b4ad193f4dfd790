// A static file server for the built page, with the headers the page is meant to be served with.
// `node scripts/serve.mjs [port]` serves dist/page; start.mjs and playwright.config.ts use it.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { headerPolicy } from "./page_policy.mjs";

const pageFolder = join(dirname(fileURLToPath(import.meta.url)), "..", "dist", "page");

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".wasm": "application/wasm",
  ".gguf": "application/octet-stream",
};

/** `bytes=a-b`, `bytes=a-`, `bytes=-n`. Undefined: send everything; null: cannot be satisfied. */
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const start = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === "" || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start > end || start >= size ? null : { start, end };
}

function findFile(folder, url) {
  let path;
  try {
    path = decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return undefined;
  }
  if (path.includes("\0")) return undefined;
  const file = join(folder, normalize(path.endsWith("/") ? `${path}index.html` : path));
  const info = file.startsWith(folder + sep) ? statSync(file, { throwIfNoEntry: false }) : undefined;
  return info?.isFile() ? { file, size: info.size } : undefined;
}

function answer(folder, request, response) {
  // A worker loaded from the network takes its policy from its own response, so every response carries it.
  response.setHeader("content-security-policy", headerPolicy);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("cache-control", "no-cache");
  const reading = request.method === "GET" || request.method === "HEAD";
  const found = reading ? findFile(folder, request.url ?? "/") : undefined;
  if (!found) {
    response.writeHead(reading ? 404 : 405, { "content-type": "text/plain" }).end(reading ? "not found\n" : "read only\n");
    return;
  }
  // Names under assets/ carry a hash: kept, these files start another engine without the network.
  if (request.url?.startsWith("/assets/")) response.setHeader("cache-control", "public, max-age=31536000, immutable");
  const range = parseRange(request.headers.range, found.size);
  if (range === null) {
    response.writeHead(416, { "content-range": `bytes */${found.size}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: found.size - 1 };
  const headers = {
    "content-type": types[extname(found.file)] ?? "application/octet-stream",
    "accept-ranges": "bytes",
    "content-length": end - start + 1,
  };
  if (range) headers["content-range"] = `bytes ${start}-${end}/${found.size}`;
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === "HEAD" || found.size === 0) response.end();
  else
    createReadStream(found.file, { start, end })
      .on("error", () => response.destroy())
      .pipe(response);
}

/**
 * Serves a folder on 127.0.0.1 (and nothing beyond this machine).
 * @param options.folder default dist/page
 * @param options.port tried first
 * @param options.tries how many ports to try from there; 1 means exactly that port
 * @returns `{ address, close }`
 */
export function serve({ folder = pageFolder, port, tries = 1 }) {
  const server = createServer((request, response) => answer(folder, request, response));
  return new Promise((resolve, reject) => {
    let left = tries;
    server.on("error", (error) => {
      left -= 1;
      if (error.code === "EADDRINUSE" && left > 0) server.listen(port + tries - left, "127.0.0.1");
      else reject(error);
    });
    server.on("listening", () => resolve({ address: `http://localhost:${server.address().port}/`, close: () => server.close() }));
    server.listen(port, "127.0.0.1");
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { address } = await serve({ port: Number(process.argv[2] ?? 4173) });
  console.log(address);
}
