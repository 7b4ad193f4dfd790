// The chat page as a person sees it, by roles and names, and a watch over what it must never do: log an error or ask another host.

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  expect,
  test as base,
  type Locator,
  type Page,
  type PlaywrightTestArgs,
  type PlaywrightTestOptions,
  type PlaywrightWorkerArgs,
  type PlaywrightWorkerOptions,
  type TestType,
} from "@playwright/test";

const bundledFile = join(import.meta.dirname, "..", "public", "models", "shaderloom-tiny.gguf");

/** The bytes of the bundled model. */
export function bundledModel(): Buffer {
  return readFileSync(bundledFile);
}

/** The bundled model with text of its header replaced by text of the same length. */
export function patchedModel(text: string, replacement: string): Buffer {
  const bytes = Buffer.from(bundledModel());
  const at = bytes.indexOf(text);
  if (at === -1 || text.length !== replacement.length) throw new Error(`${text} cannot be replaced by ${replacement}`);
  bytes.write(replacement, at);
  return bytes;
}

/** The bundled model with another chat template, filled up with spaces. */
export function modelWithTemplate(template: string): Buffer {
  const bytes = Buffer.from(bundledModel());
  const key = "tokenizer.chat_template";
  // After the key of a string value: its type (4 bytes) and length (8 bytes).
  const at = bytes.indexOf(key) + key.length + 4;
  const length = Number(bytes.readBigUInt64LE(at));
  if (template.length > length) throw new Error(`the template may have ${length} characters`);
  bytes.write(template.padEnd(length), at + 8);
  return bytes;
}

export class ChatPage {
  readonly page: Page;
  /** Everything that broke the page's promises so far. */
  readonly faults: string[] = [];
  readonly #allowedErrors: RegExp[] = [];
  readonly #allowedOrigins = new Set<string>();

  constructor(page: Page, origin: string) {
    this.page = page;
    this.#allowedOrigins.add(origin);
    page.on("pageerror", (error) => this.faults.push(`thrown: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      if (!this.#allowedErrors.some((allowed) => allowed.test(message.text()))) this.faults.push(`console: ${message.text()}`);
    });
    page.context().on("request", (request) => {
      const { protocol, origin: target } = new URL(request.url());
      if (protocol.startsWith("http") && !this.#allowedOrigins.has(target)) this.faults.push(`request: ${request.url()}`);
    });
  }

  allowOrigin(origin: string): void {
    this.#allowedOrigins.add(origin);
  }

  /** The browser itself logs failed requests. */
  allowConsole(pattern: RegExp): void {
    this.#allowedErrors.push(pattern);
  }

  get question(): Locator {
    return this.page.getByRole("textbox", { name: "Your message" });
  }
  get answers(): Locator {
    return this.page.getByRole("article", { name: "Answer" });
  }
  get banner(): Locator {
    return this.page.locator(".banner");
  }
  get modelButton(): Locator {
    return this.page.locator("button.model");
  }
  get stop(): Locator {
    return this.page.getByRole("button", { name: "Stop" });
  }

  answerText(index: number): Locator {
    return this.answers.nth(index).locator(".answer-text");
  }

  async open(): Promise<void> {
    await this.page.goto("./");
    await this.ready();
  }

  /** Waits until a model can be asked. */
  async ready(): Promise<void> {
    await expect(this.question).toHaveAttribute("placeholder", "Ask something", { timeout: 90_000 });
  }

  /** Another page load, with what the ones before stored, and without the conversation that is kept. */
  async visitAgain(): Promise<void> {
    await this.page.reload();
    await this.ready();
    await this.page.getByRole("button", { name: "New chat" }).first().click();
  }

  async ask(question: string): Promise<void> {
    await this.question.fill(question);
    await this.question.press("Enter");
  }

  /** Asks, waits for the end, and returns the answer. */
  async askFully(question: string): Promise<string> {
    const index = await this.answers.count();
    await this.ask(question);
    await expect(this.answers.nth(index)).not.toHaveAttribute("aria-busy", /.*/, { timeout: 90_000 });
    return (await this.answerText(index).textContent()) ?? "";
  }

  async choose(file: { name: string; buffer: Buffer }): Promise<void> {
    await this.modelButton.click();
    await this.page.getByLabel("Model file").setInputFiles({ ...file, mimeType: "application/octet-stream" });
  }

  get picker(): Locator {
    return this.page.getByRole("dialog", { name: "Choose a model" });
  }
  /** The dialog that tells what a model takes. */
  get verdict(): Locator {
    return this.page.locator("dialog.verdict");
  }
  get loading(): Locator {
    return this.page.getByRole("region", { name: "Loading" });
  }

  /** A stored model's row; the dialog has to be open. */
  stored(name: string): Locator {
    return this.picker.getByRole("listitem").filter({ hasText: name });
  }

  async pickAddress(address: string): Promise<void> {
    await this.modelButton.click();
    await this.page.getByLabel("From an address").fill(address);
    await this.page.getByRole("button", { name: "Load", exact: true }).click();
  }

  /** Says yes to the verdict of an address that is not stored. */
  async loadAddress(address: string): Promise<void> {
    await this.pickAddress(address);
    await this.verdict.getByRole("button", { name: /and run$/ }).click({ timeout: 60_000 });
  }
}

/** A page that is checked, at the end of each test, for errors and for requests to other hosts. */
export const test: TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & { chat: ChatPage },
  PlaywrightWorkerArgs & PlaywrightWorkerOptions
> = base.extend<{ chat: ChatPage }>({
  chat: async ({ page, baseURL }, use) => {
    const chat = new ChatPage(page, new URL(baseURL ?? "").origin);
    await use(chat);
    expect(chat.faults).toEqual([]);
  },
});

/** Another host for models: `/stalled.gguf` never answers, `/whole.gguf` has no ranges, any other `.gguf` but `/absent.gguf` has. */
export interface ModelHost {
  readonly origin: string;
  /** Bytes of models sent so far. */
  readonly sent: () => number;
  /** Sends so many bytes more and then holds all connections open, until `release`. */
  readonly holdAfter: (bytes: number) => void;
  readonly release: () => void;
  /** Waits so long before every 64 KiB; 0 again for none. */
  readonly slowDown: (milliseconds: number) => void;
  close(): Promise<void>;
}

/** Bytes written at a time, so that a held connection has sent no more than was said. */
const writeBytes = 64 << 10;

/** Resolves when more can be written, or nothing any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.on("drain", go).on("close", go);
  });
}

class PacedBodies {
  sent = 0;
  /** Milliseconds before each write. */
  delay = 0;
  #allowed = Number.POSITIVE_INFINITY;
  #waiting: Array<() => void> = [];

  allow(bytes: number): void {
    this.#allowed = bytes;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  async send(response: ServerResponse, body: Buffer): Promise<void> {
    for (let at = 0; at < body.length && !response.destroyed; at += writeBytes) {
      while (this.sent >= this.#allowed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (this.delay > 0) await new Promise((resolve) => setTimeout(resolve, this.delay));
      const piece = body.subarray(at, at + writeBytes);
      this.sent += piece.length;
      if (!response.write(piece)) await drained(response);
    }
    response.end();
  }
}

function answerModel(request: IncomingMessage, response: ServerResponse, model: Buffer): Buffer | undefined {
  const range = request.url === "/whole.gguf" ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const headers = { etag: '"e2e"', "content-type": "application/octet-stream" };
  if (!range) {
    response.writeHead(200, { ...headers, "content-length": model.length });
    return model;
  }
  const start = Number(range[1]);
  const end = Math.min(range[2] === "" ? model.length : Number(range[2]) + 1, model.length);
  if (start >= end) {
    response.writeHead(416, { ...headers, "content-range": `bytes */${model.length}` }).end();
    return undefined;
  }
  const label = `bytes ${start}-${end - 1}/${model.length}`;
  response.writeHead(206, { ...headers, "content-length": end - start, "content-range": label, "accept-ranges": "bytes" });
  return model.subarray(start, end);
}

export async function startModelHost(model: Buffer): Promise<ModelHost> {
  const bodies = new PacedBodies();
  const server: Server = createServer((request, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*");
    response.setHeader("access-control-expose-headers", "*");
    const path = request.url ?? "";
    if (request.method === "OPTIONS") response.writeHead(204).end();
    else if (path === "/stalled.gguf") return;
    else if (!path.endsWith(".gguf") || path === "/absent.gguf") response.writeHead(404).end();
    else {
      const body = answerModel(request, response, model);
      if (request.method === "HEAD") response.end();
      else if (body) void bodies.send(response, body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    sent: () => bodies.sent,
    holdAfter: (bytes) => bodies.allow(bodies.sent + bytes),
    release: () => bodies.allow(Number.POSITIVE_INFINITY),
    slowDown: (milliseconds) => (bodies.delay = milliseconds),
    close: () =>
      new Promise((resolve) => {
        bodies.allow(Number.POSITIVE_INFINITY);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
