// A gRPC client whose messages are bytes: neither encoded nor decoded, so that what is measured is the transport.
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import type { Answer, Caller } from './http-caller.js';
import type { Call } from './plan.js';

const asIs = (bytes: Buffer) => bytes;
const httpStatus = new Map<number, number>([
  [status.RESOURCE_EXHAUSTED, 429],
  [status.UNAVAILABLE, 503],
  [status.DEADLINE_EXCEEDED, 504],
]);

export function grpcCaller({ port, path, streams, body }: Call): Caller {
  const message = Buffer.from(body, 'base64');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
  });
  return {
    call: () => (streams ? callStream(client, path, message) : callUnary(client, path, message)),
    close: () => client.close(),
  };
}

function callUnary(client: Client, path: string, message: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, asIs, asIs, message, error => {
      if (error) refuse(error, resolve, reject);
      else resolve({ status: 200, retryAfter: false });
    });
  });
}

function callStream(client: Client, path: string, message: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.makeServerStreamRequest(path, asIs, asIs, message);
    stream.on('data', () => {});
    stream.on('error', error => refuse(error as ServiceError, resolve, reject));
    stream.on('end', () => resolve({ status: 200, retryAfter: false }));
  });
}

function refuse(error: ServiceError, resolve: (answer: Answer) => void, reject: (error: Error) => void): void {
  const code = httpStatus.get(error.code);
  if (code === undefined) reject(error);
  else resolve({ status: code, retryAfter: error.metadata.get('grpc-status-details-bin').length > 0 });
}
