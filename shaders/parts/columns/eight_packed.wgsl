// A block of weights times eight activation rows at once, all bytes, in named registers: the tile of gemm_cpu.wgsl.
// take_columns: the rows' activations out of an array, read at literal indices, which is free; products: one for each row;
// sum_of: the sum of one row. Parts: dot/int8_packed.

const COLUMNS: u32 = 8u;

/// A matrix, as CPU drivers take twice as long to compile a struct of two vectors.
alias Sums = mat2x4<f32>;

struct Columns {
  x0: XBlock,
  x1: XBlock,
  x2: XBlock,
  x3: XBlock,
  x4: XBlock,
  x5: XBlock,
  x6: XBlock,
  x7: XBlock,
}

fn block_of(a: XUnit, b: XUnit, bits: XUnit) -> XBlock {
  let rest = bitcast<vec3<f32>>(bits.xyz);
  return XBlock(a, b, rest.x, rest.yz);
}

fn take_columns(xs: ptr<function, array<XUnit, COLUMNS * X_UNITS>>) -> Columns {
  return Columns(
    block_of(xs[0], xs[1], xs[2]),
    block_of(xs[3], xs[4], xs[5]),
    block_of(xs[6], xs[7], xs[8]),
    block_of(xs[9], xs[10], xs[11]),
    block_of(xs[12], xs[13], xs[14]),
    block_of(xs[15], xs[16], xs[17]),
    block_of(xs[18], xs[19], xs[20]),
    block_of(xs[21], xs[22], xs[23]),
  );
}

fn products(ws: WBlock, xs: Columns) -> Sums {
  return Sums(
    dot_block(ws, xs.x0),
    dot_block(ws, xs.x1),
    dot_block(ws, xs.x2),
    dot_block(ws, xs.x3),
    dot_block(ws, xs.x4),
    dot_block(ws, xs.x5),
    dot_block(ws, xs.x6),
    dot_block(ws, xs.x7),
  );
}

fn sum_of(sums: Sums, row: u32) -> f32 {
  return sums[row >> 2u][row & 3u];
}
