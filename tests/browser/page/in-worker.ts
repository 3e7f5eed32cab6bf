// The SDK inside an application's own worker: draws one sample of the bundle whose address it is sent.
import { loadGenerator } from '@genserve/sdk';

globalThis.addEventListener('message', async ({ data: url }: MessageEvent<string>) => {
  const generator = await loadGenerator(url);
  const { data } = await generator.sample({ seed: 7 });
  await generator.close();
  globalThis.postMessage(Array.from(data.data));
});
