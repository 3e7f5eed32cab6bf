// A whole answer at once, with its length.
import type { ServerResponse } from 'node:http';

/** Smaller pieces are joined: for the system to gather another one costs more than its copy. */
const leastPieceBytes = 16_384;

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.statusCode = status;
  sendBytes(response, 'application/json; charset=utf-8', [Buffer.from(JSON.stringify(value))]);
}

/** Large pieces go to the socket as they are: a copy of each would cost more than all else that is done for an answer. */
export function sendBytes(response: ServerResponse, type: string, pieces: readonly Uint8Array[]): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', length);
  if (length < leastPieceBytes) {
    response.end(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, length));
    return;
  }
  response.cork();
  for (const piece of pieces) response.write(piece);
  response.end();
  response.uncork();
}
