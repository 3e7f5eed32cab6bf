// The manifest of a bundle: types and JSON reading, without the binary codecs. For runtime and sdk.
export * from './generated/manifest/genserve/bundle/v1/manifest.js';
