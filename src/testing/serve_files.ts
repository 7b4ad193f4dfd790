// The Vitest server's side of files.ts and peer_model.ts: bytes under /__files/, and models made on demand under /__peers/.
// Runs in the config process (Node); it never leaves the roots it is given.
import { createReadStream, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join, normalize, sep } from "node:path";
import type { Plugin } from "vite";
import { makePeerModel } from "./make_peer_model.ts";

function sendFile(request: IncomingMessage, response: ServerResponse, folder: string): void {
  const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "/");
  const file = join(folder, normalize(path));
  const info = file.startsWith(folder + sep) ? statSync(file, { throwIfNoEntry: false }) : undefined;
  const wanted = info !== undefined && (info.isFile() || request.method === "HEAD");
  response.statusCode = wanted ? 200 : 404;
  if (!wanted || request.method === "HEAD") {
    response.end();
    return;
  }
  response.setHeader("content-type", "application/octet-stream");
  response.setHeader("content-length", info.size);
  createReadStream(file).pipe(response);
}

async function sendPeer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = new URL(request.url ?? "/", "http://localhost").searchParams;
  const made = await makePeerModel(root, {
    shape: asked.get("shape") ?? "",
    arch: asked.get("arch") ?? "",
    type: asked.get("type") ?? "",
  });
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(made));
}

/** @param root the repository root */
export function serveFiles(root: string): Plugin {
  return {
    name: "shaderloom-test-files",
    configureServer(server) {
      const roots: Record<string, string> = { repo: root, shared: join(root, "..", "shared"), cache: join(root, ".cache") };
      for (const [name, folder] of Object.entries(roots)) {
        server.middlewares.use(`/__files/${name}`, (request, response) => sendFile(request, response, folder));
      }
      server.middlewares.use("/__peers", (request, response, next) => {
        sendPeer(root, request, response).catch(next);
      });
    },
  };
}
