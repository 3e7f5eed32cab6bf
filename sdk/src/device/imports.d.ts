// The build of onnxruntime-web that package.json's `imports` picks: plain WASM in a browser, the Node build in Node.
declare module '#onnxruntime-wasm' {
  export * from 'onnxruntime-web';
}
