// Text that goes into a page.

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, character => escapes[character]!);
}

/** A table of names and values; a value that is an object is written out below it. */
export function definitionTable(rows: readonly (readonly [string, unknown])[]): string {
  const cells = rows
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${cell(value)}</td></tr>`);
  return `<table>${cells.join('')}</table>`;
}

function cell(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? value.toLocaleString('en-US') : String(value);
  if (typeof value === 'string') return escapeHtml(value);
  return `<code>${escapeHtml(JSON.stringify(value))}</code>`;
}
