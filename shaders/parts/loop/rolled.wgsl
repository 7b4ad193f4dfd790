// Bounds of loops that software drivers must not unroll: they would compile for seconds, some for minutes. `step.reserved0` is
// zero, which they cannot know.

fn upto(count: u32) -> u32 {
  return count + step.reserved0;
}
