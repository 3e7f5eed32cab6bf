// SHA-256. Web Crypto where it exists; plain code, loaded only then, on pages without a secure context: never skipped.

/** Lower-case hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const subtle = typeof crypto === 'undefined' ? undefined : crypto.subtle;
  if (subtle) return hexadecimal(new Uint8Array(await subtle.digest('SHA-256', bytes)));
  const { digestPlain } = await import('./sha256-plain.js');
  return hexadecimal(digestPlain(bytes));
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}
