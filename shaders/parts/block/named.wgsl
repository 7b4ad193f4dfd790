// 32 activations in named registers: indexed private arrays are slow or miscompiled on some GPUs' drivers.
// x_fours(row, block): what an x_block is that x_four makes. Parts: block32, one of dot with x_four.

fn x_fours(row: u32, block: u32) -> Block32 {
  let i = block * 8u;
  return Block32(
    x_four(row, i),
    x_four(row, i + 1u),
    x_four(row, i + 2u),
    x_four(row, i + 3u),
    x_four(row, i + 4u),
    x_four(row, i + 5u),
    x_four(row, i + 6u),
    x_four(row, i + 7u),
  );
}
