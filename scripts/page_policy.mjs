// The Content-Security-Policy of the chat page. serve.mjs sends it as a header, vite.config.ts writes it into the built page, so
// that it also holds on servers that send none.

/**
 * People type model addresses, so any https host and localhost may be read; nothing but our own files runs, and no string
 * becomes markup or script. `wasm-unsafe-eval` is for the tokenizer, the policy `shaderloom` for the engine's worker.
 */
const directives = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self' blob: https: http://localhost:* http://127.0.0.1:*",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types shaderloom",
];

/** Browsers ignore `frame-ancestors` outside headers, and warn about it. */
export const headerPolicy = [...directives, "frame-ancestors 'none'"].join("; ");

export const metaPolicy = directives.join("; ");
