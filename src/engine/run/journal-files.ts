/** The few file operations of the journal, as a port: a disk that is full or fails on fsync can't be had on demand. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface JournalFiles {
  open(path: string, flags: 'wx+' | 'r+', mode: number): number;
  /** Bytes written, which may be fewer than given. */
  write(fd: number, data: Uint8Array, offset: number, position: number): number;
  sync(fd: number): void;
  truncate(fd: number, size: number): void;
  size(fd: number): number;
  close(fd: number): void;
  read(path: string): Buffer;
  /** Makes the entries of a folder durable: without it a new file may be gone after a power cut. */
  syncDir(path: string): void;
}

export const nodeFiles: JournalFiles = {
  open: openSync,
  write: (fd, data, offset, position) => writeSync(fd, data, offset, data.length - offset, position),
  sync: fsyncSync,
  truncate: ftruncateSync,
  size: (fd) => fstatSync(fd).size,
  close: closeSync,
  read: (path) => readFileSync(path),
  syncDir: (path) => {
    const fd = openSync(path, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
};

/** Writes a new file (0600); its content is durable, its name after `syncDir`. `EEXIST` when it is there. */
export function writeContent(files: JournalFiles, path: string, data: Uint8Array): void {
  const fd = files.open(path, 'wx+', 0o600);
  try {
    let done = 0;
    while (done < data.length) done += files.write(fd, data, done, done);
    files.sync(fd);
  } finally {
    files.close(fd);
  }
}

/** As `writeContent`, and its name is durable too. */
export function writeNewFile(files: JournalFiles, path: string, data: Uint8Array): void {
  writeContent(files, path, data);
  files.syncDir(dirname(path));
}
