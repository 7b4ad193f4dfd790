// Everything that requests for one file share: address, headers, patience and who is told. Options with their defaults filled in.

import type { ShaderloomError } from "../../base/errors.ts";
import { browserOnline } from "./retry.ts";
import type { RetryRules } from "./retry.ts";
import type { TransferContext } from "./transfer.ts";

export interface HttpOptions {
  readonly signal?: AbortSignal | undefined;
  readonly fetch?: typeof fetch;
  readonly headers?: Record<string, string>;
  /** Milliseconds without a byte after which a transfer is given up and retried; 30,000. */
  readonly stallMs?: number;
  /** Attempts after the first that may fail in a row without bringing new bytes; 5. */
  readonly retries?: number;
  /** Wait before the first retry, doubled for each further one; 500. */
  readonly backOffMs?: number;
  /** Wait for a connection while the browser says that there is none; 120,000. */
  readonly offlineMs?: number;
  /** Whether there is a connection; asks the browser unless given. */
  readonly online?: () => boolean;
  /** The largest file to hold in memory when the server has no ranges; 4 GiB. */
  readonly maxBufferedBytes?: number;
  /** Told while a file is read whole on opening, because its server has no ranges; `total` is unknown at some servers. */
  readonly onReceive?: (received: number, total: number | undefined) => void;
  /** The origin of the page, for telling CORS refusals; found out unless given. */
  readonly origin?: string;
  /** Told of each run of bytes of a body, whatever becomes of it. */
  readonly onNetworkBytes?: (count: number) => void;
  readonly onRetry?: (error: ShaderloomError) => void;
  /** When bytes last came, shared by transfers that may wait for each other. */
  readonly activity?: { at: number };
}

export interface HttpContext extends TransferContext, RetryRules {
  readonly maxBufferedBytes: number;
  readonly onReceive: ((received: number, total: number | undefined) => void) | undefined;
}

export function httpContext(url: URL, options: HttpOptions = {}): HttpContext {
  return {
    url,
    name: url.protocol.startsWith("http") ? `${url.origin}${url.pathname}` : `the ${url.protocol} address`,
    // Unbound, because a window's fetch insists on its own `this`.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    headers: options.headers ?? {},
    stallMs: options.stallMs ?? 30_000,
    origin: options.origin ?? ("location" in globalThis ? globalThis.location.origin : undefined),
    activity: options.activity ?? { at: -Infinity },
    spareRuns: [],
    onNetworkBytes: options.onNetworkBytes,
    retries: options.retries ?? 5,
    backOffMs: options.backOffMs ?? 500,
    offlineMs: options.offlineMs ?? 120_000,
    online: options.online ?? browserOnline,
    onRetry: options.onRetry,
    maxBufferedBytes: options.maxBufferedBytes ?? 4 * 2 ** 30,
    onReceive: options.onReceive,
  };
}
