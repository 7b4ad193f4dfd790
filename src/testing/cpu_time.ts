// Time that a test's own work took, for bounds that hold on a busy machine. Node only.

/** @returns the result, and the process's time on all cores in ms */
export function cpuTime<T>(work: () => T): { result: T; ms: number } {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: (user + system) / 1000 };
}
