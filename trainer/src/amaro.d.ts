// The one function of amaro that is used; its release for Node 20 comes without types.
declare module 'amaro' {
  export function transformSync(source: string, options: { mode: 'strip-only' }): { code: string };
}
