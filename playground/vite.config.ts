// Builds the page to dist/. While developing, `npm run dev -w playground` passes calls on to a running server.
import { defineConfig } from 'vite';

const server = process.env.GENSERVE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: './',
  worker: { format: 'es' },
  // onnxruntime-web's .wasm files are megabytes each and come as files of their own, one for each backend.
  build: { target: 'es2022', chunkSizeWarningLimit: 1024, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  // They find their worker and .wasm files relative to themselves, which pre-bundling would move.
  optimizeDeps: { exclude: ['@genserve/sdk', '@genserve/runtime', 'onnxruntime-web'] },
  server: { proxy: { '/v1': server, '/v2': server, '/bundles': server, '/openapi.json': server } },
});
