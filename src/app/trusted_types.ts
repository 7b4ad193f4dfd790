// The page runs under `require-trusted-types-for 'script'`: no string becomes markup or script. Starting a worker also takes a
// trusted address, so one policy lets scripts of this very origin through, and nothing else is ever trusted.

/** Not yet in TypeScript's DOM library. */
interface TrustedTypesFactory {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): unknown;
}

declare global {
  interface Window {
    readonly trustedTypes?: TrustedTypesFactory;
  }
}

/** @throws {TypeError} for an address of another origin */
export function sameOriginScript(address: string, page: string): string {
  const url = new URL(address, page);
  if (url.origin !== new URL(page).origin || url.protocol === "data:") throw new TypeError(`a script from ${url.origin} is not loaded`);
  return url.href;
}

/** Installs the policy where the browser knows Trusted Types. */
export function installScriptPolicy(scope: Window, page: string): void {
  scope.trustedTypes?.createPolicy("default", { createScriptURL: (address) => sameOriginScript(address, page) });
}
