// A block of weights times eight activation rows at once, in named registers: the tile of gemm_cpu.wgsl.
// take_columns: the rows' activations out of an array, read at literal indices, which is free; products: one for each row;
// sum_of: the sum of one row. Parts: block32, dot.

const COLUMNS: u32 = 8u;

/// A matrix, as CPU drivers take twice as long to compile a struct of two vectors.
alias Sums = mat2x4<f32>;

struct Columns {
  x0: Block32,
  x1: Block32,
  x2: Block32,
  x3: Block32,
  x4: Block32,
  x5: Block32,
  x6: Block32,
  x7: Block32,
}

fn take_columns(xs: ptr<function, array<XUnit, COLUMNS * X_UNITS>>) -> Columns {
  return Columns(
    Block32(xs[0], xs[1], xs[2], xs[3], xs[4], xs[5], xs[6], xs[7]),
    Block32(xs[8], xs[9], xs[10], xs[11], xs[12], xs[13], xs[14], xs[15]),
    Block32(xs[16], xs[17], xs[18], xs[19], xs[20], xs[21], xs[22], xs[23]),
    Block32(xs[24], xs[25], xs[26], xs[27], xs[28], xs[29], xs[30], xs[31]),
    Block32(xs[32], xs[33], xs[34], xs[35], xs[36], xs[37], xs[38], xs[39]),
    Block32(xs[40], xs[41], xs[42], xs[43], xs[44], xs[45], xs[46], xs[47]),
    Block32(xs[48], xs[49], xs[50], xs[51], xs[52], xs[53], xs[54], xs[55]),
    Block32(xs[56], xs[57], xs[58], xs[59], xs[60], xs[61], xs[62], xs[63]),
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
