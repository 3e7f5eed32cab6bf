// Pictures that come in parts: a sheet that fills as they do.
import { float32, type Samples } from '@genserve/sdk';

/** The whole of a stream of `count` rows from `firstIndex` on; `show` sees what there is after each part and preview. */
export async function gather(
  stream: AsyncIterable<Samples>,
  count: number,
  show: (samples: Samples) => void,
): Promise<Samples> {
  let data: Float32Array<ArrayBuffer> | undefined;
  let begin = 0;
  let latest: Samples | undefined;
  const labels: number[] = [];
  for await (const part of stream) {
    const [, ...shape] = part.data.shape;
    const size = shape.reduce((product, length) => product * length, 1);
    if (!data) {
      data = new Float32Array(count * size);
      begin = part.firstIndex;
    }
    data.set(part.data.data, (part.firstIndex - begin) * size);
    if (part.drawnRows === undefined) labels.push(...(part.labels ?? []));
    latest = {
      ...part,
      firstIndex: begin,
      data: float32([count, ...shape], data),
      ...(labels.length > 0 && { labels }),
    };
    show(latest);
  }
  if (!latest) throw new Error('the stream was empty');
  return latest;
}
