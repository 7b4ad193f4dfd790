// A local HTTP server whose every file has a temper: how fast, with or without ranges, lengths, ETags and CORS headers, and what
// goes wrong with which request. Keeps the byte range of everything it sent, which is what the campaign counts.

import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

/** What goes wrong with one request. */
export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  /** Cuts the connection after so many bytes of the body. */
  | { readonly kind: "cut"; readonly after: number }
  /** Ends cleanly after so many bytes, without a length. */
  | { readonly kind: "short"; readonly after: number }
  /** Sends so many bytes, then nothing more. */
  | { readonly kind: "stall"; readonly after: number }
  /** 206 with this Content-Range, whatever was asked for. */
  | { readonly kind: "range"; readonly header: string }
  /** 200 with the whole file. */
  | { readonly kind: "whole" }
  /** Flips the lowest bit of the byte at this offset of the file. */
  | { readonly kind: "corrupt"; readonly offset: number };

/** One request as it was asked and answered. */
export interface Served {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Offset in the file of the first byte of the body. */
  start: number;
  /** Bytes of the body that were given to the socket. */
  sent: number;
  status: number;
  open: boolean;
  /** When the last byte was given to the socket, in milliseconds of `performance.now`; undefined for one that was cut. */
  endedAt: number | undefined;
}

export interface HostedFile {
  content: Buffer;
  etag: string | undefined;
  /** On top of the usual ones. */
  headers: Record<string, string>;
  ranges: boolean;
  /** Whether answers say how long they are. */
  length: boolean;
  /** Whether bodies are compressed: where the request allows it, or even where it does not. */
  gzip: "never" | "allowed" | "always";
  /** Over all requests of this file together. */
  bytesPerSecond: number;
  /** Other path that requests are sent to. */
  redirect: string | undefined;
  /** Whether answers allow other origins, and which headers they may see; undefined: no CORS headers at all. */
  cors: { readonly expose: string } | undefined;
  /** How long a request to which something is to happen waits for its answer, so that others come to their end meanwhile. */
  faultAfterMs: number;
  /** Asked once for each request; `count` starts at 1. */
  fault(request: { readonly count: number; readonly start: number; readonly end: number }): Fault | undefined;
}

export interface FileServer extends AsyncDisposable {
  /** The one origin, and the same server under a second one. */
  readonly origin: string;
  readonly crossOrigin: string;
  /** By path, `/files/…`. */
  readonly files: Map<string, HostedFile>;
  readonly log: Served[];
  /** Puts a file up and returns its address. */
  host(name: string, content: Buffer, temper?: Partial<HostedFile>): string;
  /** Cuts every request for a file as it comes, as where there is no network. The page still gets its own program. */
  unplug(out: boolean): void;
}

const pieceBytes = 128 << 10;

/** @param pages answers what is not under `/files/` */
export async function startFileServer(pages: (request: IncomingMessage, response: ServerResponse) => void): Promise<FileServer> {
  const files = new Map<string, HostedFile>();
  const log: Served[] = [];
  const counts = new Map<string, number>();
  const lanes = new Map<HostedFile, Lane>();
  let unplugged = false;
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (!path.startsWith("/files/")) {
      pages(request, response);
      return;
    }
    const served: Served = {
      path,
      method: request.method ?? "",
      headers: request.headers,
      start: 0,
      sent: 0,
      status: 0,
      open: true,
      endedAt: undefined,
    };
    log.push(served);
    response.on("close", () => (served.open = false));
    if (unplugged) {
      request.destroy();
      return;
    }
    const file = files.get(path);
    const count = (counts.get(path) ?? 0) + 1;
    counts.set(path, count);
    if (file === undefined) answerStatus(response, served, 404);
    else {
      const lane = lanes.get(file) ?? { free: 0 };
      lanes.set(file, lane);
      serveFile({ file, lane, count, request, response, served });
    }
  };
  const servers = [createServer(handle), createServer(handle)];
  const [origin = "", crossOrigin = ""] = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      // `localhost` is a secure context, and its two ports are two origins.
      return `http://localhost:${(server.address() as AddressInfo).port}`;
    }),
  );
  return {
    origin,
    crossOrigin,
    files,
    log,
    host(name, content, temper = {}) {
      const path = `/files/${name}`;
      files.set(path, { ...calm(content), ...temper });
      counts.delete(path);
      return `${temper.cors === undefined ? origin : crossOrigin}${path}`;
    },
    unplug(out) {
      unplugged = out;
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

function calm(content: Buffer): HostedFile {
  return {
    content,
    etag: '"1"',
    headers: {},
    ranges: true,
    length: true,
    gzip: "never",
    bytesPerSecond: Infinity,
    redirect: undefined,
    cors: undefined,
    faultAfterMs: 0,
    fault: () => undefined,
  };
}

/** When the file's line is free again, in milliseconds; all its requests share one. */
interface Lane {
  free: number;
}

interface Serving {
  readonly file: HostedFile;
  readonly lane: Lane;
  readonly count: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly served: Served;
}

function answerStatus(response: ServerResponse, served: Served, status: number, headers: Record<string, string> = {}): void {
  served.status = status;
  response.writeHead(status, { "cache-control": "no-store", ...headers }).end();
}

function serveFile(serving: Serving): void {
  const { file, count, request, response, served } = serving;
  const cors: Record<string, string> =
    file.cors === undefined ? {} : { "access-control-allow-origin": "*", "access-control-expose-headers": file.cors.expose };
  if (request.method === "OPTIONS") return answerStatus(response, served, 403);
  if (file.redirect !== undefined) return answerStatus(response, served, 302, { ...cors, location: file.redirect });
  const size = file.content.length;
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = Number(match?.[1] ?? 0);
  const end = Math.min(match?.[2] ? Number(match[2]) + 1 : size, size);
  const fault = file.fault({ count, start, end });
  const asked = { start, end, ranged: match !== null, cors, fault };
  if (fault === undefined || file.faultAfterMs === 0) answerFile(serving, asked);
  else setTimeout(() => answerFile(serving, asked), file.faultAfterMs);
}

interface Asked {
  readonly start: number;
  readonly end: number;
  readonly ranged: boolean;
  /** Headers. */
  readonly cors: Record<string, string>;
  readonly fault: Fault | undefined;
}

function answerFile(serving: Serving, { start, end, ranged, cors, fault }: Asked): void {
  const { file, request, response, served } = serving;
  const size = file.content.length;
  if (fault?.kind === "status") return answerStatus(response, served, fault.status, { ...cors, ...fault.headers });
  const partial = file.ranges && ranged && fault?.kind !== "whole";
  if (partial && start >= size) return answerStatus(response, served, 416, { ...cors, "content-range": `bytes */${size}` });
  const headers: Record<string, string> = {
    "content-type": "application/octet-stream",
    "cache-control": "no-store",
    ...cors,
    ...file.headers,
  };
  if (file.etag !== undefined) headers.etag = file.etag;
  if (partial) headers["content-range"] = fault?.kind === "range" ? fault.header : `bytes ${start}-${end - 1}/${size}`;
  served.start = partial ? start : 0;
  served.status = partial ? 206 : 200;
  let body = partial ? file.content.subarray(start, end) : file.content;
  if (fault?.kind === "corrupt") body = flipped(body, fault.offset - served.start);
  if (file.gzip === "always" || (file.gzip === "allowed" && /gzip/.test(String(request.headers["accept-encoding"])))) {
    body = gzipSync(body, { level: 1 });
    headers["content-encoding"] = "gzip";
  }
  if (file.length && fault?.kind !== "short") headers["content-length"] = String(body.length);
  response.writeHead(served.status, headers);
  const stop = fault?.kind === "cut" || fault?.kind === "short" || fault?.kind === "stall" ? fault.after : body.length;
  void send(serving, body.subarray(0, stop)).then(() => {
    if (served.open && stop === body.length) served.endedAt = performance.now();
    // A moment later, so that what was sent arrives before the cut does.
    if (fault?.kind === "cut") setTimeout(() => response.destroy(), 50);
    else if (fault?.kind !== "stall") response.end();
  });
}

function flipped(body: Buffer, at: number): Buffer {
  if (at < 0 || at >= body.length) return body;
  const copy = Buffer.from(body);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

async function send({ file, lane, response, served }: Serving, body: Buffer): Promise<void> {
  for (let at = 0; at < body.length && served.open; at += pieceBytes) {
    const piece = body.subarray(at, at + pieceBytes);
    await turn(lane, (piece.length / file.bytesPerSecond) * 1000);
    if (!served.open) return;
    served.sent += piece.length;
    if (!response.write(piece)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          response.off("drain", go).off("close", go);
          resolve();
        };
        response.on("drain", go).on("close", go);
      });
    }
  }
}

/** Waits for the line to be free and takes it for so many milliseconds. */
async function turn(lane: Lane, ms: number): Promise<void> {
  if (ms === 0) return;
  const now = performance.now();
  lane.free = Math.max(lane.free, now) + ms;
  await new Promise((resolve) => setTimeout(resolve, lane.free - now));
}
