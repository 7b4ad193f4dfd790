// What is added to vec4 `col` of each row: the bias. Bindings: bias array<vec4<f32>>.

fn addend(col: u32) -> vec4<f32> {
  return bias[col];
}
