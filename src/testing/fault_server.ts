// A local HTTP server for tests of downloads, with one scripted fault for each request in turn. Node only.

import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
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
  | { readonly kind: "page"; readonly body: string; readonly type: string };

export interface ServedRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface FaultServer extends AsyncDisposable {
  readonly origin: string;
  /** What was asked, in order. */
  readonly requests: ServedRequest[];
  /** Faults of the next requests, first to last; after them requests are served well. */
  readonly faults: Fault[];
  /** Bytes served at any path that does not redirect. */
  content: Uint8Array;
  etag: string;
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
    etag: '"1"',
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
  state.requests.push({ method: request.method ?? "", path, range, authorization });
  const onward = state.redirects.get(path);
  if (onward !== undefined) {
    response.writeHead(302, { location: onward }).end();
    return;
  }
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  const start = Number(match?.[1] ?? 0);
  const end = Math.min(match?.[2] ? Number(match[2]) + 1 : state.content.length, state.content.length);
  answer(state, response, { start, end, fault: state.faults.shift() });
}

interface Asked {
  readonly start: number;
  readonly end: number;
  readonly fault: Fault | undefined;
}

function answer({ content, etag }: FaultServer, response: ServerResponse, { start, end, fault }: Asked): void {
  const label = (from: number, to: number): Record<string, string> => ({
    "content-range": `bytes ${from}-${to - 1}/${content.length}`,
    "content-length": String(to - from),
    etag,
  });
  const body = content.subarray(start, end);
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
      response.writeHead(200, { "content-length": String(fault.length ?? content.length), etag, ...fault.headers }).end(content);
      return;
    case "range":
      response.writeHead(206, { ...label(start, end), "content-range": fault.header }).end(body);
      return;
    case "half": {
      const middle = start + Math.ceil((end - start) / 2);
      response.writeHead(206, label(start, middle)).end(content.subarray(start, middle));
      return;
    }
    case "cut":
      response.writeHead(206, label(start, end)).write(body.subarray(0, fault.after), () => response.destroy());
      return;
    case "stall":
      response.writeHead(206, label(start, end)).write(body.subarray(0, fault.after));
      return;
    case "short": {
      const { "content-length": _, ...headers } = label(start, end);
      response.writeHead(206, headers).end(body.subarray(0, fault.after));
      return;
    }
    default:
      response.writeHead(206, { ...label(start, end), ...fault?.headers }).end(body);
  }
}
