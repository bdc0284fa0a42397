/**
 * A rehearsal that outlives its wizard. The cluster's process notes itself in `rehearsal.json` of the state folder and
 * listens on a socket; a wizard that comes back finds it there and holds it by a connection, as the first one held it by
 * a pipe.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '../engine/run/journal-lock.ts';
import { ensurePrivateDir } from '../engine/run/paths.ts';
import type { RehearsalCluster } from './rehearsal-child.ts';

interface Note {
  readonly pid: number;
  readonly kubeconfig: string;
  readonly socket: string;
}

const notePath = (stateDir: string) => join(stateDir, 'rehearsal.json');

/** The process that is the cluster: who holds it, and when nobody does any more. */
export class Holders {
  #lingerMs: number;
  readonly #end: () => void;
  readonly #sockets = new Set<Socket>();
  #pipe = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(lingerMs: number, end: () => void) {
    this.#lingerMs = lingerMs;
    this.#end = end;
  }

  /** The pipe of the wizard that started it. */
  holdByPipe(input: NodeJS.ReadableStream): void {
    input.setEncoding('utf8');
    input.on('data', (chunk: string | Buffer) => this.#hear(String(chunk)));
    const gone = () => {
      this.#pipe = false;
      this.#look();
    };
    input.on('end', gone);
    input.on('error', gone);
    input.resume();
  }

  holdBySocket(socket: Socket): void {
    this.#sockets.add(socket);
    clearTimeout(this.#timer);
    socket.write(this.#pipe || this.#sockets.size > 1 ? 'taken\n' : 'yours\n');
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => this.#hear(String(chunk)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#look();
    });
  }

  #hear(text: string): void {
    if (text.includes('stop')) this.#end();
    const keep = /keep (\d+)\n/.exec(text)?.[1];
    if (keep !== undefined) this.#lingerMs = Number(keep);
  }

  #look(): void {
    clearTimeout(this.#timer);
    if (!this.#pipe && this.#sockets.size === 0) this.#timer = setTimeout(this.#end, this.#lingerMs);
  }
}

/** Makes this cluster findable. Answers the function that takes the note away. */
export async function leaveNote(stateDir: string, kubeconfig: string, holders: Holders): Promise<() => void> {
  const folder = ensurePrivateDir(stateDir);
  const socket = join(tmpdir(), `pgb-wizard-rehearsal-${process.pid}.sock`);
  rmSync(socket, { force: true });
  const server = createServer((connection) => holders.holdBySocket(connection));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const before = process.umask(0o177);
    server.listen(socket, resolve);
    process.umask(before);
  });
  const note: Note = { pid: process.pid, kubeconfig, socket };
  if (folder.ok) writeFileSync(notePath(stateDir), `${JSON.stringify(note)}\n`, { mode: 0o600 });
  return () => {
    server.close();
    rmSync(socket, { force: true });
    if (readNote(stateDir)?.pid === process.pid) rmSync(notePath(stateDir), { force: true });
  };
}

function readNote(stateDir: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(notePath(stateDir), 'utf8')) as Note;
  } catch {
    // No note, or half a note: no cluster to come back to.
    return undefined;
  }
}

/** Takes hold of a cluster that lingers; undefined when there is none, or another wizard holds it. */
export async function attachRehearsal(stateDir: string): Promise<RehearsalCluster | undefined> {
  const note = readNote(stateDir);
  if (!note || !isRunning(note.pid)) return undefined;
  const socket = connect(note.socket);
  const answer = await new Promise<string>((resolve) => {
    socket.once('data', (chunk) => resolve(String(chunk).trim()));
    socket.once('error', () => resolve('gone'));
    socket.once('close', () => resolve('gone'));
  });
  if (answer !== 'yours') {
    socket.destroy();
    return undefined;
  }
  socket.on('error', () => socket.destroy());
  socket.unref();
  return {
    kubeconfig: note.kubeconfig,
    pid: note.pid,
    release: (keepMs) => {
      socket.end(`keep ${keepMs}\n`);
    },
    stop: () =>
      new Promise((resolve) => {
        socket.ref();
        socket.once('close', () => resolve());
        socket.write('stop\n');
      }),
  };
}
