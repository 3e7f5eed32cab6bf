// The other end of the bare hop: answers each frame with a tensor of as many bytes as the frame asks for.
import { Socket } from 'node:net';
import { encodeFrameParts, FrameReader } from '@genserve/runtime';

const socket = new Socket({ fd: 3, readable: true, writable: true });
const frames = new FrameReader();
socket.on('data', (chunk: Buffer) => {
  for (const message of frames.push(chunk)) {
    const { id, answerBytes } = message as { id: number; answerBytes: number }; // written by the front, the other half of this program
    const outputs = { dtype: 'uint8', shape: [answerBytes], data: new Uint8Array(answerBytes) };
    socket.cork();
    for (const part of encodeFrameParts({ id, outputs })) socket.write(part);
    socket.uncork();
  }
});
socket.on('close', () => process.exit(0));
