// How many threads a graph is worth.

/** The operator of a node as the file has it: field 4 of NodeProto, of four bytes, "Loop". */
const LOOP = '\x22\x04Loop';

/**
 * Threads to run this graph with, of those that are there: one where it loops. The kernels of one turn are so small that
 * sharing them costs more than it saves, at every batch from 1 to 256 (docs/decisions/loop-threads.md).
 * @param model bytes of an ONNX file.
 */
export function threadsWorth<Threads extends number | undefined>(model: Uint8Array, threads: Threads): Threads | 1 {
  return new TextDecoder('latin1').decode(model).includes(LOOP) ? 1 : threads;
}
