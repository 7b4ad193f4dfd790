/** Lets this process import `.wgsl?raw` from then on. */
export function importShaders(): void;
