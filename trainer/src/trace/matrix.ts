// Matrix products.
import type { Value } from '../graph/types.js';
import type { KernelCall, KernelGroup } from './kernel.js';

/** [..., rows, inner] x [..., inner, columns]; leading axes broadcast, a leading axis of 1 drops out. */
function product(call: KernelCall): Value {
  const { builder } = call;
  const [a, b] = [call.input('a'), call.input('b')];
  const [transposeA, transposeB] = [call.flag('transposeA'), call.flag('transposeB')];
  const plain = (shape: readonly number[]) => shape.slice(0, -2).every(extent => extent === 1);
  if (plain(a.shape) && plain(b.shape)) {
    const rank = Math.max(a.shape.length, b.shape.length);
    const flat = builder.emit('Gemm', [builder.reshape(a, a.shape.slice(-2)), builder.reshape(b, b.shape.slice(-2))], {
      transA: transposeA ? 1 : 0,
      transB: transposeB ? 1 : 0,
      alpha: 1,
      beta: 1,
    });
    return builder.reshape(flat, [...new Array<number>(rank - 2).fill(1), ...flat.shape]);
  }
  return transposeA || transposeB
    ? builder.emit('FusedMatMul', [a, b], { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: 1 })
    : builder.emit('MatMul', [a, b]);
}

export const matrix: KernelGroup = { BatchMatMul: product };
