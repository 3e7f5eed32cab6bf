// An HTTP/1.1 client that costs as little as possible, since it shares its core with what it measures: one request at a
// time on each connection, answers counted and dropped.
import { connect, type Socket } from 'node:net';
import type { Call } from './plan.js';

export interface Answer {
  readonly status: number;
  readonly retryAfter: boolean;
}

export interface Caller {
  call(): Promise<Answer>;
  close(): void;
}

const headEnd = Buffer.from('\r\n\r\n');

export function httpCaller({ port, path, headers, body }: Call): Caller {
  const bytes = Buffer.from(body, 'base64');
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, 'Content-Length': bytes.length, ...headers });
  const head = `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const request = Buffer.concat([Buffer.from(head), bytes]);
  const idle: Connection[] = [];
  const all = new Set<Connection>();
  return {
    async call() {
      let connection = idle.pop();
      // One that the server has ended meanwhile is of no use.
      while (connection?.closed) connection = idle.pop();
      if (connection === undefined) {
        connection = new Connection(port);
        all.add(connection);
      }
      const answer = await connection.send(request);
      idle.push(connection);
      return answer;
    },
    close() {
      for (const connection of all) connection.close();
    },
  };
}

class Connection {
  readonly #socket: Socket;
  closed = false;
  #head: Buffer = Buffer.alloc(0);
  /** Bytes of the body that have not come yet; undefined while the head has not. */
  #missing: number | undefined;
  #answer: Answer = { status: 0, retryAfter: false };
  #settle: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('error', error => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#missing === undefined) {
      this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      const end = this.#head.indexOf(headEnd);
      if (end < 0) return;
      const text = this.#head.toString('latin1', 0, end).toLowerCase();
      // At the start of a line: other headers end in the same words.
      const length = Number(/\ncontent-length: (\d+)/.exec(text)?.[1]);
      this.#answer = { status: Number(text.slice(9, 12)), retryAfter: text.includes('\nretry-after:') };
      this.#missing = length - (this.#head.length - end - headEnd.length);
      this.#head = Buffer.alloc(0);
    } else this.#missing -= chunk.length;
    if (this.#missing > 0) return;
    this.#missing = undefined;
    this.#settle?.resolve(this.#answer);
  }

  #fail(error: Error): void {
    this.closed = true;
    this.#settle?.reject(error);
  }
}
