// Bounds of loops that compilers should unroll: arrays they index then live in registers. For GPUs.

fn upto(count: u32) -> u32 {
  return count;
}
