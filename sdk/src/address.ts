// Addresses of servers and bundles, as callers write them.

/** The address with a slash at its end, so that paths go under it; relative ones are the page's. */
export function baseUrl(url: string | URL): URL {
  const absolute = new URL(url, globalThis.location?.href);
  return absolute.pathname.endsWith('/') ? absolute : new URL(`${absolute.href}/`);
}
