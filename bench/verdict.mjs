// What a run asserts: every promised ratio was measured and reached, and no kernel was wrong.

/** @returns a sentence for each broken promise; none when all hold */
export function verdictOf({ ratios, loop, stream, kv = {}, faults = [] }) {
  const failures = faults.map((fault) => `a kernel is not right: ${fault}`);
  const promised = [ratios, loop, stream, ...Object.values(kv)]
    .flatMap((section) => section?.ratios ?? [])
    .filter(({ goal }) => goal !== undefined);
  const measured = [ratios, loop, stream, ...Object.values(kv)].some((section) => section !== undefined);
  if (measured && promised.length === 0) failures.push("no ratio is promised on this adapter, so none was checked");
  for (const { name, ratio, goal } of promised) {
    if (!(ratio >= goal)) failures.push(`${name}: ${ratio.toFixed(2)} times, promised ${goal}`);
  }
  return failures;
}
