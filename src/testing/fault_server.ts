// A local HTTP server for tests of downloads, with one scripted fault for each request in turn. Node only.

import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { assert } from "../base/errors.ts";

/** What the server does to one request. */
export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  /** Cuts the connection after so many bytes of the body. */
  | { readonly kind: "cut"; readonly after: number }
  /** Ends cleanly after so many bytes, without a length. */
  | { readonly kind: "short"; readonly after: number }
  /** Sends so many bytes, then nothing more. */
  | { readonly kind: "stall"; readonly after: number }
  /** Never answers. */
  | { readonly kind: "silent" }
  /** Answers 200 with the whole file. */
  | { readonly kind: "whole"; readonly headers?: Record<string, string>; readonly length?: number }
  /** 206 with another Content-Range than the body's. */
  | { readonly kind: "range"; readonly header: string }
  /** Half the range that was asked for, honestly labelled. */
  | { readonly kind: "half" }
  /** 206 with other headers on top. */
  | { readonly kind: "headers"; readonly headers: Record<string, string> }
  /** 200 with another body. */
  | { readonly kind: "page"; readonly body: string; readonly type: string }
  /** 206 with one bit of the body flipped, so many bytes in. */
  | { readonly kind: "flip"; readonly at: number }
  /** 200 with the whole file and no length, cut short but cleanly ended after so many bytes when told. */
  | { readonly kind: "unsized"; readonly after?: number }
  /** 200 with the whole file under gzip; its Content-Length counts the compressed bytes. */
  | { readonly kind: "gzip" };

/** What the server says on a path that is no file, such as a hub's API. */
export interface Answer {
  readonly status?: number;
  readonly body: string;
  readonly delayMs?: number;
}

export interface ServedRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Of a POST, once it has come. */
  body?: string;
}

export interface FaultServer extends AsyncDisposable {
  readonly origin: string;
  /** What was asked, in order. */
  readonly requests: ServedRequest[];
  /** Faults of the next requests, first to last; after them requests are served well. */
  readonly faults: Fault[];
  /** Bytes served at any path that does not redirect. */
  content: Uint8Array;
  /** By path. Where there are any, they are served instead of `content`, and no other path is there. */
  readonly files: Map<string, Uint8Array>;
  /** Empty: none is sent. */
  etag: string;
  /** Sent with every answer that is a success. */
  readonly headers: Map<string, string>;
  /** False: every request gets the whole file, with status 200. */
  ranges: boolean;
  /** By path. Faults are for files alone, and other paths under /api/ are not there. */
  readonly answers: Map<string, Answer>;
  /** Where requests are sent on with a 302, by path. */
  readonly redirects: Map<string, string>;
}

export async function startFaultServer(content: Uint8Array): Promise<FaultServer> {
  const server = createServer((request, response) => serve(state, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert(address !== null && typeof address === "object", "a listening server has an address");
  const state: FaultServer = {
    origin: `http://127.0.0.1:${address.port}`,
    requests: [],
    faults: [],
    content,
    files: new Map(),
    etag: '"1"',
    headers: new Map(),
    ranges: true,
    answers: new Map(),
    redirects: new Map(),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return state;
}

function serve(state: FaultServer, request: IncomingMessage, response: ServerResponse): void {
  const { range, authorization } = request.headers;
  const path = request.url ?? "/";
  const served: ServedRequest = { method: request.method ?? "", path, range, authorization };
  state.requests.push(served);
  const said = state.answers.get(path) ?? (path.startsWith("/api/") ? { status: 404, body: "no" } : undefined);
  if (said !== undefined) {
    request.setEncoding("utf8").on("data", (text: string) => {
      served.body = (served.body ?? "") + text;
    });
    setTimeout(() => response.writeHead(said.status ?? 200, { "content-type": "application/json" }).end(said.body), said.delayMs ?? 0);
    return;
  }
  const onward = state.redirects.get(path);
  if (onward !== undefined) {
    response.writeHead(302, { location: onward }).end();
    return;
  }
  const content = state.files.size > 0 ? state.files.get(path) : state.content;
  if (content === undefined) {
    response.writeHead(404, { "content-type": "text/plain" }).end("Entry not found");
    return;
  }
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  const start = state.ranges ? Number(match?.[1] ?? 0) : 0;
  const end = Math.min(match?.[2] && state.ranges ? Number(match[2]) + 1 : content.length, content.length);
  if (start > 0 && start >= end) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    return;
  }
  answer(state, response, { content, start, end, fault: state.faults.shift() });
}

interface Asked {
  readonly content: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly fault: Fault | undefined;
}

function answer(state: FaultServer, response: ServerResponse, { content, start, end, fault }: Asked): void {
  const shared = { ...(state.etag === "" ? {} : { etag: state.etag }), ...Object.fromEntries(state.headers) };
  const label = (from: number, to: number): Record<string, string> => ({
    ...(state.ranges ? { "content-range": `bytes ${from}-${to - 1}/${content.length}` } : {}),
    "content-length": String(to - from),
    ...shared,
  });
  const body = content.subarray(start, end);
  const good = state.ranges ? 206 : 200;
  switch (fault?.kind) {
    case "silent":
      return;
    case "status":
      response.writeHead(fault.status, fault.headers).end("no");
      return;
    case "page":
      response.writeHead(200, { "content-type": fault.type }).end(fault.body);
      return;
    case "whole":
      response.writeHead(200, { "content-length": String(fault.length ?? content.length), ...shared, ...fault.headers }).end(content);
      return;
    case "unsized":
      response.writeHead(200, shared).end(content.subarray(0, fault.after));
      return;
    case "gzip": {
      const zipped = gzipSync(content);
      response.writeHead(200, { "content-length": String(zipped.length), "content-encoding": "gzip", ...shared }).end(zipped);
      return;
    }
    case "flip": {
      const wrong = body.slice();
      wrong[Math.min(fault.at, wrong.length - 1)] ^= 1;
      response.writeHead(good, label(start, end)).end(wrong);
      return;
    }
    case "range":
      response.writeHead(good, { ...label(start, end), "content-range": fault.header }).end(body);
      return;
    case "half": {
      const middle = start + Math.ceil((end - start) / 2);
      response.writeHead(good, label(start, middle)).end(content.subarray(start, middle));
      return;
    }
    case "cut":
      response.writeHead(good, label(start, end)).write(body.subarray(0, fault.after), () => response.destroy());
      return;
    case "stall":
      response.writeHead(good, label(start, end)).write(body.subarray(0, fault.after));
      return;
    case "short": {
      const { "content-length": _, ...headers } = label(start, end);
      response.writeHead(good, headers).end(body.subarray(0, fault.after));
      return;
    }
    default:
      response.writeHead(good, { ...label(start, end), ...fault?.headers }).end(body);
  }
}
