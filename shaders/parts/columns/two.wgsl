// A block of weights times two activation rows at once, in named registers: the tile of gemm_cpu.wgsl.
// take_columns: the rows' activations out of an array, read at literal indices, which is free; products: one for each row;
// sum_of: the sum of one row. Parts: block32, dot.

const COLUMNS: u32 = 2u;

alias Sums = vec2<f32>;

struct Columns {
  x0: Block32,
  x1: Block32,
}

fn take_columns(xs: ptr<function, array<XUnit, COLUMNS * X_UNITS>>) -> Columns {
  return Columns(
    Block32(xs[0], xs[1], xs[2], xs[3], xs[4], xs[5], xs[6], xs[7]),
    Block32(xs[8], xs[9], xs[10], xs[11], xs[12], xs[13], xs[14], xs[15]),
  );
}

fn products(ws: WBlock, xs: Columns) -> Sums {
  return Sums(dot_block(ws, xs.x0), dot_block(ws, xs.x1));
}

fn sum_of(sums: Sums, row: u32) -> f32 {
  return sums[row];
}
